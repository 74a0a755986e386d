//! An async closure as a handler.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;

use super::{Call, Ended, Handler};
use crate::words::{Job, Payload, Problem};

/// Calls an async closure. What it returns is the outcome's data; an error is the reason why the job failed.
pub struct Closure<F>(pub F);

impl<F, Fut, T, E> Handler for Closure<F>
where
    F: Fn(Job) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Into<Payload>,
    E: Display,
{
    fn handle(&self, call: Call) -> Pin<Box<dyn Future<Output = Ended> + Send + '_>> {
        let Call { job, mut cut, .. } = call;
        Box::pin(async move {
            let work = async {
                match (self.0)(job).await {
                    Ok(data) => Ended::Done(data.into()),
                    Err(e) => Ended::Failed(Problem::handler(e.to_string())),
                }
            };
            tokio::select! {
                biased;
                ended = work => ended,
                why = cut.wait() => Ended::Cut(why),
            }
        })
    }
}
