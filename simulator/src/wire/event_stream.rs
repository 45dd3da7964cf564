//! AWS's event stream: the binary frames in which streamed answers come.

use serde_json::Value;

/// The content type of a stream.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// One event in its frame: lengths, headers, payload, and a checksum after each part.
pub(crate) fn frame(kind: &str, payload: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(name.len()).unwrap_or_default());
        headers.extend(name.as_bytes());
        // Type 7 is text, with its length in two bytes.
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let payload = payload.to_string();
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = Vec::new();
    frame.extend(size(16 + headers.len() + payload.len()));
    frame.extend(size(headers.len()));
    frame.extend(checksum(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload.as_bytes());
    frame.extend(checksum(&frame).to_be_bytes());
    frame
}

/// CRC-32 as in Ethernet and zip, bit by bit: frames are small.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum >>= 1;
            if low == 1 {
                sum ^= 0xedb8_8320;
            }
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }
}
