//! Envelopes: what is read and written again is the same, on one line, and nothing that is in it leads out of the folder.

use filedrop::words::{ClaimCheckKind, Envelope, Id, Job, MAX_FILE_BYTES, Outcome, Payload};

/// `input` is an envelope; and once more somebody's data.
pub(crate) fn check(input: &[u8]) {
    if let Ok(envelope) = Envelope::decode(input) {
        let again = write_and_read(&envelope);
        assert_eq!(again, envelope);
        data_as_it_stands(&envelope, input);
        let id = envelope.text("id").expect("checked by the reader");
        if let Ok(id) = id.parse::<Id>()
            && let Ok(job) = Job::decode(&id, 1, input)
        {
            read_job(&job);
        }
    }
    if let Ok(outcome) = Outcome::decode(input) {
        read_outcome(&outcome);
    }
    let mut envelope = Envelope::new("a", "/fuzz", "fuzz");
    envelope.payload = Some(Payload::detect(input));
    assert_eq!(write_and_read(&envelope).data(), input, "data comes back as it went in");
}

fn write_and_read(envelope: &Envelope) -> Envelope {
    let written = envelope.encode().expect("inputs are far smaller than what an envelope holds");
    assert!(written.len() <= MAX_FILE_BYTES);
    assert!(!written.contains(&b'\n') && !written.contains(&b'\r'), "an envelope is one line");
    let read = Envelope::decode(&written).unwrap_or_else(|e| {
        panic!("what we wrote is no envelope: {e}: {}", String::from_utf8_lossy(&written))
    });
    assert_eq!(read.encode().expect("as before"), written, "written once more it is the same");
    read
}

/// Data without a content type is JSON, and its text is in the envelope as the handler gets it.
fn data_as_it_stands(envelope: &Envelope, input: &[u8]) {
    let members: serde_json::Value = match serde_json::from_slice(input) {
        Ok(members) => members,
        // Deeper than this reader goes, or a number that it cannot hold.
        Err(_) => return,
    };
    if members.get("data").is_some() && members.get("datacontenttype").is_none() {
        let data = envelope.data();
        assert!(input.windows(data.len()).any(|window| window == data), "data is passed on as it stands");
    }
}

fn read_job(job: &Job) {
    assert_eq!(Some(job.id.as_str()), job.envelope.text("id"));
    assert!(!job.kind().is_empty());
    assert!(job.max_attempts() != Some(0));
    assert!(job.envelope.attribute("replyto").is_none() || job.reply_to().is_some());
    assert!(job.envelope.attribute("expirytime").is_none() || job.expires().is_some());
    assert!(job.envelope.priority().get() <= 9);
    let refs = [(job.files_ref(), ClaimCheckKind::Files), (job.data_ref(), ClaimCheckKind::Data)];
    for (check, kind) in refs {
        let Some(check) = check else { continue };
        assert_eq!(check.kind, kind);
        assert!(!check.name().contains('/') && !check.name().starts_with('.'), "{check} is in payload/");
    }
    if let Some(name) = job.data_file() {
        assert_eq!(
            std::path::Path::new(&name).file_name(),
            Some(name.as_os_str()),
            "{name:?} is in its folder"
        );
    }
    assert!(!job.correlation_id().is_empty() || job.envelope.text("correlationid") == Some(""));
}

fn read_outcome(outcome: &Outcome) {
    let job = outcome.job_id();
    assert_eq!(outcome.envelope.text("causationid"), Some(job.as_str()));
    assert_eq!(outcome.envelope.text("outcome"), Some(outcome.disposition.as_str()));
    let failed = outcome.disposition.as_str() != "succeeded";
    assert_eq!(outcome.problem().is_some(), failed, "why it failed can always be told");
    let _ = outcome.attempt();
    for check in [outcome.files_ref(), outcome.data_ref()].into_iter().flatten() {
        assert!(!check.name().contains('/') && !check.name().starts_with('.'), "{check} is in payload/");
    }
    let read = Outcome::decode(&outcome.envelope.encode().expect("small")).expect("what we wrote");
    assert_eq!(&read, outcome);
}
