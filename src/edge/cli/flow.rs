//! What a job follows from, and the flow that it belongs to: `submit` and `call` take the same.

use std::env::{self, VarError};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::words::is_trace_parent;
use crate::{Cause, Id, Submission};

#[derive(Debug, Args)]
pub(super) struct Flow {
    /// The name of the whole flow [default: $FILEDROP_CORRELATION_ID; of a job without a cause its own id]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), help_heading = "Flow")]
    correlation_id: Option<String>,

    /// What the job follows from [default: $FILEDROP_ID]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), help_heading = "Flow")]
    causation_id: Option<String>,

    /// The W3C trace context that its handler and its outcome carry on [default: $TRACEPARENT]
    #[arg(long, value_name = "TRACEPARENT", value_parser = trace_parent, help_heading = "Flow")]
    trace_parent: Option<String>,
}

/// For the help texts.
pub(super) const HELP: &str = "\
What a handler submits follows from its job by itself, whichever DROP it goes to: FILEDROP_ID, FILEDROP_CORRELATION_ID and TRACEPARENT, \
which a handler has in its environment, become the attributes causationid, correlationid and traceparent, unless they are given. \
`filedrop show` tells them.";

fn trace_parent(text: &str) -> Result<String, String> {
    match is_trace_parent(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{TRACE_LOOKS} (W3C Trace Context)")),
    }
}

const TRACE_LOOKS: &str = "it has to look like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

impl Flow {
    /// What is said here counts more than what the environment says.
    pub(super) fn of(&self, mut job: Submission) -> Submission {
        let mut cause = of_environment();
        if let Some(id) = &self.correlation_id {
            job = job.correlation_id(id);
        }
        if let Some(id) = &self.causation_id {
            job = job.causation_id(id);
            // As it is with the cause that a handler has.
            cause.flow.get_or_insert_with(|| id.clone());
        }
        if let Some(trace_parent) = &self.trace_parent {
            job = job.trace_parent(trace_parent);
        }
        job.caused_by(cause)
    }
}

/// What a handler knows of its job. Whatever else bears these names is left alone: it must keep nobody from submitting.
pub(super) fn of_environment() -> Cause {
    const LONGEST: usize = 1024;
    let is_name = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    Cause {
        job: variable("FILEDROP_ID", "an id has 1 to 64 of a-z 0-9 _ -", |text| text.parse::<Id>().ok()),
        flow: variable("FILEDROP_CORRELATION_ID", "it has to be one line of text, at most 1 KiB", |text| {
            is_name(text).then(|| text.to_owned())
        }),
        trace_parent: variable("TRACEPARENT", TRACE_LOOKS, |text| {
            is_trace_parent(text).then(|| text.to_owned())
        }),
    }
}

/// An empty one is as good as none.
fn variable<T>(name: &str, right: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = match env::var(name) {
        Ok(value) if value.is_empty() => return None,
        Err(VarError::NotPresent) => return None,
        value => value.ok(),
    };
    let read = value.as_deref().and_then(read);
    if read.is_none() {
        tracing::warn!(value = value.unwrap_or_default(), "ignoring ${name}: {right}");
    }
    read
}
