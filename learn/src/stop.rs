//! Ctrl-C and SIGTERM. The first one begins nothing new and lets the clean-up run; the second one ends that too.

use std::io;

use tokio::sync::watch;

/// Hears that the program is to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<u32>);

/// Tells it.
#[derive(Debug)]
pub struct Teller(watch::Sender<u32>);

impl Teller {
    /// One more signal came.
    pub fn tell(&self) {
        self.0.send_modify(|times| *times += 1);
    }

    /// Tells of the signals of this process, which don't end it by themselves from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(&self) -> io::Result<()> {
        let (teller, mut signals) = (Teller(self.0.clone()), Signals::new()?);
        tokio::spawn(async move {
            while signals.next().await.is_some() {
                teller.tell();
            }
        });
        Ok(())
    }
}

impl Stop {
    /// One that somebody tells.
    pub fn told() -> (Teller, Stop) {
        let (sender, receiver) = watch::channel(0);
        (Teller(sender), Stop(receiver))
    }

    /// Whether it was told that many times.
    pub fn heard(&self, times: u32) -> bool {
        *self.0.borrow() >= times
    }

    /// Waits until it was told that many times.
    pub async fn wait(&self, times: u32) {
        if self.0.clone().wait_for(|heard| *heard >= times).await.is_err() && !self.heard(times) {
            // Nobody is left who could tell.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Option<()> {
        tokio::select! {
            heard = self.interrupt.recv() => heard,
            heard = self.terminate.recv() => heard,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) -> Option<()> {
        tokio::signal::ctrl_c().await.ok()
    }
}
