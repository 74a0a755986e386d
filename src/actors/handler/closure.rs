//! An async closure as a handler.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;

use super::{Call, Ended, Handler};
use crate::words::{Job, Payload, Problem};

/// The error of a closure that wants to see the job no more: there is no further attempt.
///
/// ```
/// use filedrop::{Job, Rejected};
///
/// let handler = async |job: Job| -> Result<String, Rejected> {
///     let text = std::str::from_utf8(job.data()).map_err(|e| Rejected(format!("no text: {e}")))?;
///     Ok(text.to_uppercase())
/// };
/// # let _ = handler;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejected(
    /// Why.
    pub String,
);

/// Calls an async closure. What it returns is the outcome's data; an error is the reason why the job failed.
pub struct Closure<F>(pub F);

impl<F, Fut, T, E> Handler for Closure<F>
where
    F: Fn(Job) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Into<Payload>,
    E: Display + 'static,
{
    fn handle<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        let Call { job, mut cut, started, .. } = call;
        Box::pin(async move {
            started.tell();
            let work = async {
                match (self.0)(job).await {
                    Ok(data) => Ended::Done(data.into()),
                    Err(e) if (&e as &dyn Any).is::<Rejected>() => {
                        Ended::Failed(Problem::rejected(e.to_string()))
                    }
                    Err(e) => Ended::Failed(Problem::handler(e.to_string())),
                }
            };
            tokio::select! {
                biased;
                ended = work => ended,
                why = cut.wait() => Ended::Cut { why, stderr: String::new() },
            }
        })
    }
}
