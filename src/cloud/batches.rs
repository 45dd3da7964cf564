//! Lists that go out in batches: cut to size, several under way at a time, and what AWS refuses of a
//! batch for no fault of ours is sent again.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;

use crate::failure::Failure;

/// How many entries a batch holds: the quota of SQS and of EventBridge.
const ENTRIES: usize = 10;
/// How many bytes a batch holds. SQS has taken more since 2025, but not in every partition and not
/// where a queue was made with a limit of its own; ours are far smaller.
pub(super) const BYTES: usize = 256 * 1024;

/// How many batches are under way at a time.
const PARALLEL: usize = 8;
/// How many times an entry is sent.
const ROUNDS: u32 = 5;

/// An entry of a batch that wasn't taken.
pub(super) struct RefusedEntry {
    /// Its place in the whole list.
    pub(super) index: usize,
    pub(super) failure: Failure,
    /// Whether to send it again.
    pub(super) again: bool,
}

/// Entries that, as far as is known, didn't arrive.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) count: usize,
    /// The failure of one of them; of several, the one that waiting helps least.
    pub(super) failure: Failure,
}

impl Unsent {
    fn add(unsent: &mut Option<Unsent>, other: Unsent) {
        match unsent {
            Some(unsent) => {
                unsent.count += other.count;
                if other.failure.category > unsent.failure.category {
                    unsent.failure = other.failure;
                }
            }
            None => *unsent = Some(other),
        }
    }

    /// As a failure of the whole list.
    pub(super) fn of(self, total: usize) -> Failure {
        let Unsent { count, failure } = self;
        let message = format!("{count} of {total} were not sent: {}", failure.message);
        failure.in_words(message)
    }
}

/// Cuts a list, given as places and sizes, into batches of at most ten entries and 256 KiB.
pub(super) fn cut(entries: impl IntoIterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut held = 0;
    for (index, bytes) in entries {
        match batches.last_mut() {
            Some(batch) if batch.len() < ENTRIES && held + bytes <= BYTES => {
                batch.push(index);
                held += bytes;
            }
            _ => {
                batches.push(vec![index]);
                held = bytes;
            }
        }
    }
    batches
}

/// Sends batches, each with `once`, in no order.
///
/// A refused entry doesn't keep the others back. A call that fails as a whole, after the SDK's own
/// attempts, ends it: what isn't under way by then stays unsent.
pub(super) async fn send<F, Sending>(batches: Vec<Vec<usize>>, pause: Duration, once: F) -> Result<(), Unsent>
where
    F: Fn(Vec<usize>) -> Sending,
    Sending: Future<Output = Result<Vec<RefusedEntry>, Failure>>,
{
    let broken = OnceLock::new();
    let results = futures_util::stream::iter(batches)
        .map(|batch| send_one(batch, pause, &once, &broken))
        .buffer_unordered(PARALLEL)
        .collect::<Vec<Option<Unsent>>>()
        .await;
    let mut unsent = None;
    for other in results.into_iter().flatten() {
        Unsent::add(&mut unsent, other);
    }
    unsent.map_or(Ok(()), Err)
}

async fn send_one<F, Sending>(
    mut batch: Vec<usize>,
    pause: Duration,
    once: &F,
    broken: &OnceLock<Failure>,
) -> Option<Unsent>
where
    F: Fn(Vec<usize>) -> Sending,
    Sending: Future<Output = Result<Vec<RefusedEntry>, Failure>>,
{
    let mut unsent = None;
    for round in 1.. {
        let refused = match broken.get() {
            Some(failure) => Err(failure.clone()),
            None => once(batch.clone()).await,
        };
        let refused = match refused {
            Ok(refused) => refused,
            Err(failure) => {
                Unsent::add(&mut unsent, Unsent { count: batch.len(), failure: failure.clone() });
                // Another may have come first, with much the same to say.
                drop(broken.set(failure));
                break;
            }
        };
        batch.clear();
        for RefusedEntry { index, failure, again } in refused {
            if again && round < ROUNDS {
                batch.push(index);
            } else {
                Unsent::add(&mut unsent, Unsent { count: 1, failure });
            }
        }
        if batch.is_empty() {
            break;
        }
        tokio::time::sleep(pause * 2_u32.pow(round - 1)).await;
    }
    unsent
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;
    use crate::failure::Category;

    fn failure(category: Category) -> Failure {
        Failure::new(category, "Send", category.to_string())
    }

    fn refused(index: usize, category: Category) -> RefusedEntry {
        RefusedEntry { index, failure: failure(category), again: category == Category::Transient }
    }

    fn singles(count: usize) -> Vec<Vec<usize>> {
        (0..count).map(|index| vec![index]).collect()
    }

    #[test]
    fn batches_hold_ten_entries_and_their_bytes() {
        assert_eq!(cut([]), Vec::<Vec<usize>>::new());
        let batches = cut((0..25).map(|index| (index, 10)));
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(batches.concat(), (0..25).collect::<Vec<_>>());
        let batches = cut([BYTES, 1, BYTES - 1, 1, 5].into_iter().enumerate());
        assert_eq!(batches, [vec![0], vec![1, 2], vec![3, 4]]);
    }

    #[tokio::test]
    async fn what_is_refused_is_sent_again_and_nothing_else_is() {
        let sent = Mutex::new(BTreeMap::<usize, u32>::new());
        let result = send(cut((0..12).map(|index| (index, 1))), Duration::ZERO, async |batch: Vec<usize>| {
            let mut refuse = Vec::new();
            for index in batch {
                let mut sent = sent.lock().unwrap();
                let times = sent.entry(index).or_default();
                *times += 1;
                match index {
                    3 if *times < 4 => refuse.push(refused(3, Category::Transient)),
                    5 => refuse.push(refused(5, Category::Transient)),
                    7 => refuse.push(refused(7, Category::Rejected)),
                    _ => {}
                }
            }
            Ok(refuse)
        });
        let unsent = result.await.unwrap_err();
        assert_eq!(unsent.of(12).to_string(), "Send: 2 of 12 were not sent: rejected (rejected)");
        let sent = sent.into_inner().unwrap();
        assert_eq!(
            sent.iter().filter(|(_, times)| **times > 1).collect::<Vec<_>>(),
            [(&3, &4), (&5, &ROUNDS)]
        );
        assert_eq!(sent.len(), 12);
    }

    #[tokio::test]
    async fn a_call_that_fails_ends_it() {
        let sent = Mutex::new(Vec::new());
        let result = send(singles(1_000), Duration::ZERO, async |batch: Vec<usize>| {
            sent.lock().unwrap().push(batch[0]);
            tokio::task::yield_now().await;
            if batch[0] == 2 { Err(failure(Category::Denied)) } else { Ok(Vec::new()) }
        });
        let unsent = result.await.unwrap_err();
        assert_eq!(unsent.failure, failure(Category::Denied));
        let sent = sent.into_inner().unwrap();
        assert!(sent.len() < 20, "{} calls after one that failed", sent.len());
        // All that was begun was brought to its end.
        assert_eq!(unsent.count, 1_000 - (sent.len() - 1));
    }
}
