//! Making calls: again where they may work later, not at all once the user wants to stop, and waiting for an effect.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use aws_sdk_bedrock::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::answered::{Answered, AwsRefusal};
use crate::clock::PollClock;
use crate::stop::Stop;

/// How often an effect is looked for.
const EVERY: Duration = Duration::from_secs(2);
/// How often a call is made that may work later.
const ATTEMPTS: u32 = 6;
/// How often a refusal is asked for before it counts: a permission or a grant may be on its way.
const FIRM: u32 = 3;
/// How long is waited in between.
const BETWEEN: Duration = Duration::from_secs(10);

/// Why what was begun doesn't go on.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The user wants to stop.
    #[error("the user stopped it")]
    Interrupted,
    /// What is to be made can't be written down first, so nothing may be made.
    #[error("the journal can't be written, so nothing more is made: {0}")]
    Journal(#[from] io::Error),
    /// It can't go on.
    #[error("{0}")]
    Because(String),
}

impl From<AwsRefusal> for Halt {
    fn from(refusal: AwsRefusal) -> Halt {
        Halt::Because(refusal.to_string())
    }
}

/// How calls are made.
#[derive(Clone)]
pub struct Calling {
    clock: Rc<dyn PollClock>,
    stop: Stop,
    /// How many signals end it: the clean-up outlasts the first.
    ended_by: Rc<Cell<u32>>,
}

impl std::fmt::Debug for Calling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Calling {
    /// Calls that go by a clock until somebody stops them.
    pub fn new(clock: Rc<dyn PollClock>, stop: Stop) -> Calling {
        Calling { clock, stop, ended_by: Rc::new(Cell::new(1)) }
    }

    /// From now on the first signal is outlasted, or not; says what held before.
    pub fn outlast(&self, first: bool) -> bool {
        self.ended_by.replace(if first { 2 } else { 1 }) == 2
    }

    /// Whether the user wants to stop, once.
    pub fn is_stopping(&self) -> bool {
        self.stop.heard(1)
    }

    /// How long the clock has been running.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The date and the time.
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Waits, unless the user wants to stop.
    ///
    /// # Errors
    /// [`Halt::Interrupted`].
    pub async fn wait(&self, duration: Duration) -> Result<(), Halt> {
        let ended_by = self.ended_by.get();
        if self.stop.heard(ended_by) {
            return Err(Halt::Interrupted);
        }
        tokio::select! {
            biased;
            () = self.stop.wait(ended_by) => Err(Halt::Interrupted),
            () = self.clock.wait(duration) => Ok(()),
        }
    }

    /// Makes one call. It isn't broken off: whoever breaks off a write doesn't know what became of it.
    ///
    /// # Errors
    /// [`Halt::Interrupted`].
    pub async fn once<T, E>(
        &self,
        operation: &'static str,
        attempt: impl AsyncFn() -> Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Answered<T>, Halt>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if self.stop.heard(self.ended_by.get()) {
            return Err(Halt::Interrupted);
        }
        Ok(attempt().await.map_err(|error| AwsRefusal::of(operation, &error)))
    }

    /// Makes a call, and makes it again while AWS says that it may work later.
    ///
    /// # Errors
    /// [`Halt::Interrupted`].
    pub async fn call<T, E>(
        &self,
        operation: &'static str,
        attempt: impl AsyncFn() -> Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Answered<T>, Halt>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut made = 1;
        loop {
            let answered = self.once(operation, &attempt).await?;
            match &answered {
                Err(refusal) if refusal.is_transient() && made < ATTEMPTS => {
                    self.wait(EVERY * made).await?;
                    made += 1;
                }
                _ => return Ok(answered),
            }
        }
    }

    /// Makes a call whose refusal is an answer: it counts once AWS has given the same several times in a row.
    ///
    /// # Errors
    /// [`Halt::Interrupted`], or [`Halt::Because`] where AWS says something else each time.
    pub async fn firmly<T, E>(
        &self,
        operation: &'static str,
        attempt: impl AsyncFn() -> Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Answered<T>, Halt>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut before: Option<AwsRefusal> = None;
        let mut same = 0;
        for _ in 0..FIRM * 2 {
            match self.call(operation, &attempt).await? {
                Ok(answer) => return Ok(Ok(answer)),
                Err(refusal) => {
                    let repeated = before.as_ref().is_some_and(|before| before.code == refusal.code);
                    same = if repeated { same + 1 } else { 1 };
                    if same >= FIRM {
                        return Ok(Err(refusal));
                    }
                    before = Some(refusal);
                }
            }
            self.wait(BETWEEN).await?;
        }
        Err(Halt::Because(format!("{operation} was refused with another code each time")))
    }

    /// Looks again and again until there is something to see. Answers nothing when the time is over.
    ///
    /// # Errors
    /// Those of `look`, and [`Halt::Interrupted`].
    pub async fn until<T>(
        &self,
        limit: Duration,
        look: impl AsyncFn() -> Result<Option<T>, Halt>,
    ) -> Result<Option<T>, Halt> {
        let end = self.elapsed() + limit;
        loop {
            if let Some(seen) = look().await? {
                return Ok(Some(seen));
            }
            if self.elapsed() >= end {
                return Ok(None);
            }
            self.wait(EVERY).await?;
        }
    }
}
