//! One file, one job (P30, P31, P32).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::json;

use super::{Yard, sha256};
use crate::harness::{golden, wait_until};

#[test]
fn files_become_jobs_and_the_books_are_kept() {
    let yard = Yard::new();
    yard.put("orders.csv", "a,b\n");
    yard.put("Grüße\n.TXT", "hello");
    yard.put("a b.csv", "");
    let inode = yard.from.join("orders.csv").metadata().unwrap().ino();
    yard.once(&["--reply-to", "acme", "--priority", "2"]).with(0);
    assert_eq!(yard.names(), [""; 0]);
    let jobs = yard.folder.jobs("inbox");
    let job = jobs.iter().find(|job| job.envelope.text("subject") == Some("orders.csv")).unwrap();
    let text = |name| job.envelope.text(name).unwrap();
    assert_eq!((text("type"), text("replyto"), text("source")), ("file.csv", "acme", "/intake/in"));
    assert_eq!((text("datacontenttype"), job.envelope.priority().get()), ("text/csv", 2));
    let payload = yard.folder.path.join("payload").join(job.files_ref().unwrap().name()).join("orders.csv");
    assert_eq!(payload.metadata().unwrap().ino(), inode, "on one file system it is moved");
    let audit = yard.audit();
    let line = audit.iter().find(|line| line["path"] == "orders.csv").unwrap();
    assert_eq!(line["sha256"], sha256("a,b\n"));
    let paths: std::collections::BTreeSet<_> =
        audit.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert!(paths.contains("Gr%C3%BC%C3%9Fe%0A.TXT") && paths.contains("a b.csv"), "{paths:?}");
    assert_eq!((&line["size"], &line["evidence"]), (&json!(4), &json!("quiet")));
    assert_eq!((&line["what"], &line["job"]), (&json!("accepted"), &json!(job.id.as_str())));
    let receipt = yard.receipt("orders.csv.accepted").unwrap();
    assert!(receipt.starts_with("# accepted 20") && receipt.contains(job.id.as_str()), "{receipt}");
    assert!(receipt.ends_with(&format!("\n{}  orders.csv\n", sha256("a,b\n"))), "{receipt}");
    yard.is_cleared();

    let handled = yard.handle();
    let sum = sha256("a,b\n");
    assert_eq!(handled["orders.csv"], [(sum.clone(), sum)]);
    assert_eq!(handled.len(), 3);
    assert!(yard.receipt("orders.csv.done").is_none(), "nobody has looked yet");
    yard.once(&[]).with(0);
    assert!(yard.receipt("orders.csv.done").unwrap().starts_with("# done 20"));
    assert!(yard.receipt("Grüße\n.TXT.done").is_some());
}

#[test]
fn two_files_of_one_name_are_two_jobs_and_receipts_are_of_the_newest() {
    let yard = Yard::new();
    yard.put("x.csv", "1");
    yard.once(&[]).with(0);
    let first = yard.folder.jobs("inbox")[0].id.to_string();
    yard.folder.drain("cat");
    yard.once(&[]).with(0);
    assert!(yard.receipt("x.csv.done").unwrap().contains(&first));
    yard.put("x.csv", "2");
    yard.once(&[]).with(0);
    assert!(yard.receipt("x.csv.done").is_none(), "that of the first one is not of this one");
    assert!(yard.receipt("x.csv.accepted").unwrap().contains(&sha256("2")));
    yard.folder.drain("echo 'what a mess' >&2; exit 65");
    yard.once(&[]).with(0);
    let rejected = yard.receipt("x.csv.rejected").unwrap();
    assert!(rejected.contains("failed\nthe handler rejected the job: exit status 65"), "{rejected}");
    assert!(!rejected.contains("mess"), "what a handler says is for the operator");
}

/// In the inbox it is otherwise: whoever drops a name hears of it when it became no job.
#[test]
fn dropped_names_of_one_file_are_one_job_and_that_is_said() {
    let yard = Yard::new();
    let inbox = yard.folder.path.join("inbox");
    fs::hard_link(yard.put("x.csv", "x"), inbox.join("a.csv")).unwrap();
    fs::hard_link(yard.from.join("x.csv"), inbox.join("b.csv")).unwrap();
    let ended = yard.folder.run("consumer run DROP --drain -v -- true", &[]).with(0);
    assert_eq!(ended.err.matches("a dropped name became no job of its own").count(), 1, "{ended:?}");
    assert!(yard.folder.names("inbox").is_empty());
}

/// Hard links; and a file that somebody moves back, to have it handled again.
#[test]
fn each_name_of_a_file_is_a_job_with_an_outcome() {
    let yard = Yard::new();
    let first = yard.put("first.csv", "same");
    fs::hard_link(&first, yard.from.join("second.csv")).unwrap();
    yard.once(&[]).with(0);
    assert_eq!((yard.names().len(), yard.folder.jobs("inbox").len()), (0, 2));
    assert_eq!(yard.handle().len(), 2);
    yard.once(&[]).with(0);
    for name in ["first.csv.done", "second.csv.done"] {
        assert!(yard.receipt(name).is_some(), "{name}");
    }
    let job = yard.audit()[0]["job"].as_str().unwrap().to_owned();
    let payload = yard.folder.path.join("payload");
    let names = yard.folder.names("payload");
    let name = names.iter().find(|name| name.starts_with(&job)).expect("its files");
    let file = fs::read_dir(payload.join(name)).unwrap().next().unwrap().unwrap();
    fs::rename(file.path(), yard.from.join("again.csv")).unwrap();
    yard.once(&[]).with(0);
    assert_eq!(yard.folder.jobs("inbox").len(), 1);
    assert!(yard.handle().contains_key("again.csv"));
    yard.once(&[]).with(0);
    assert!(yard.receipt("again.csv.done").is_some());
    yard.is_cleared();
}

#[test]
fn only_what_is_meant_is_taken() {
    let yard = Yard::new();
    for name in ["a.csv", "b.csv", "b.txt", "c.csv.part", ".hidden.csv", "~$d.csv", "f.tsv"] {
        yard.put(name, name);
    }
    fs::create_dir(yard.from.join("sub")).unwrap();
    yard.put("sub/e.csv", "");
    std::os::unix::fs::symlink("a.csv", yard.from.join("link.csv")).unwrap();
    yard.once(&["--include", "*.{csv,tsv}", "--exclude", "b*"]).with(0);
    let left = [".hidden.csv", "b.csv", "b.txt", "c.csv.part", "link.csv", "sub", "~$d.csv"];
    assert_eq!(yard.names(), left);
    assert_eq!(yard.audit().len(), 2);
}

#[test]
fn with_a_marker_only() {
    let yard = Yard::new();
    for name in ["a.csv", "b.csv", "c.csv", "a.csv.ready"] {
        yard.put(name, name);
    }
    yard.put("b.csv.sha256", &sha256("b.csv"));
    yard.put("c.csv.sha256", &sha256("something else"));
    yard.once(&["--marker", ".ready", "--marker", ".sha256"]).with(0);
    assert_eq!(yard.names(), ["c.csv", "c.csv.sha256"], "the markers go with their files");
    let mut evidence: Vec<_> = yard.audit().iter().map(|line| line["evidence"].to_string()).collect();
    evidence.sort();
    assert_eq!(evidence, ["\"checksum\"", "\"marker\""]);
    yard.is_cleared();
}

/// However many say that it is complete.
#[test]
fn a_checksum_counts_before_other_markers() {
    let yard = Yard::new();
    for (name, content) in [("good.csv", "good.csv"), ("bad.csv", "another")] {
        yard.put(name, name);
        yard.put(&format!("{name}.sha256"), &sha256(content));
        yard.put(&format!("{name}.done"), "");
    }
    let damaged = |err: &str| err.matches("does not have the checksum").count();
    let ended = yard.once(&["-q", "--quiet-period", "50ms"]).with(0);
    assert_eq!(damaged(&ended.err), 1, "it is told: {ended:?}");
    assert!(ended.err.contains("bad.csv"), "{ended:?}");
    assert_eq!(yard.names(), ["bad.csv", "bad.csv.done", "bad.csv.sha256"], "all markers go with their file");
    assert_eq!(yard.audit()[0]["evidence"], "checksum");
    let inbox = yard.folder.path.join("inbox");
    for name in yard.names() {
        fs::rename(yard.from.join(&name), inbox.join(&name)).unwrap();
    }
    let ended = yard.folder.run("consumer run DROP --drain -q --quiet-period 50ms -- true", &[]).with(0);
    assert_eq!(damaged(&ended.err), 1, "it is told: {ended:?}");
    let left = yard.folder.names("inbox");
    assert_eq!(left, ["bad.csv", "bad.csv.done", "bad.csv.sha256"], "consumers see it so, too");
}

#[test]
fn trees_are_kept_as_subjects() {
    let yard = Yard::new();
    fs::create_dir_all(yard.from.join("in/deep")).unwrap();
    fs::create_dir_all(yard.from.join(".git")).unwrap();
    for name in ["a.csv", "in/a.csv", "in/deep/b c.csv", ".git/x.csv"] {
        yard.put(name, name);
    }
    yard.once(&["--keep-tree", "--exclude", "in/a.*"]).with(0);
    let handled = yard.handle();
    assert_eq!(handled.keys().collect::<Vec<_>>(), ["a.csv", "in/deep/b c.csv"]);
    assert!(yard.receipt("in/deep/b c.csv.accepted").is_some());
    assert_eq!(yard.names(), [".git", "in"]);
    assert!(yard.from.join("in/deep").exists(), "folders are the partner's");
    yard.is_cleared();
}

#[test]
fn from_another_file_system_by_copies() {
    let yard = Yard::elsewhere();
    let large = "x".repeat(3_000_000);
    yard.put("large.bin", &large);
    yard.put("empty", "");
    yard.once(&[]).with(0);
    let (handled, sum) = (yard.handle(), sha256(&large));
    assert_eq!(handled["large.bin"], [(sum.clone(), sum)]);
    assert_eq!(handled["empty"], [(sha256(""), sha256(""))]);
    assert_eq!(yard.names(), [""; 0]);
    yard.is_cleared();
}

#[test]
fn one_that_follows_takes_what_comes_and_tells_what_becomes_of_it() {
    let yard = Yard::new();
    let consumer = yard.folder.start("consumer run DROP --", &["cat"]);
    let intake = yard.folder.start("producer intake DROP", &yard.args(&["--quiet-period", "1h"]));
    // When it has seen this one, it has ears.
    yard.put("first.csv", "text");
    yard.put("first.csv.done", "");
    wait_until("it is at work", || yard.receipt("first.csv.accepted"));
    for nth in 0..20 {
        // As rsync and others do.
        let part = yard.put(&format!(".{nth}.csv.XYZ"), "text");
        fs::rename(part, yard.from.join(format!("{nth}.csv"))).unwrap();
        wait_until("it is done", || yard.receipt(&format!("{nth}.csv.done")));
    }
    assert!(yard.audit().iter().skip(1).all(|line| line["evidence"] == "renamed"));
    for running in [consumer, intake] {
        running.signal(Signal::TERM);
        running.end().with(0);
    }
}

#[test]
fn a_file_that_is_still_written_is_left() {
    let yard = Yard::new();
    let path = yard.put("slow.csv", "half");
    let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    yard.once(&[]).with(0);
    assert_eq!(yard.names(), ["slow.csv"]);
    drop(writer);
    yard.once(&[]).with(0);
    assert_eq!(yard.names(), [""; 0]);
}

#[test]
fn what_cannot_be_is_said() {
    let yard = Yard::new();
    let said = |words: &str, more: &[&str], code: i32| {
        let ended = yard.folder.run(words, more).with(code);
        yard.folder.normal(&ended.err, &[])
    };
    let from = yard.from.to_str().unwrap();
    let mut all = String::new();
    all += &said("producer intake DROP --once --from missing", &[], 66);
    all += &said("producer intake DROP --once --from DROP", &[], 65);
    all += &said("producer intake DROP --once --from .", &[], 65);
    all += &said("producer intake DROP --once --from", &[from, "--receipts", from], 65);
    all += &said("producer intake DROP --once --from", &[from, "--receipts", "missing"], 66);
    yard.folder.run("filedrop init other", &[]).with(0);
    for args in [
        "--from other",
        "--from other/done",
        "--from in --receipts DROP",
        "--from in --receipts drop/inbox",
        "--from in --receipts other/done",
        "--from in --audit drop/inbox/audit.log",
        "--from in --audit drop/filedrop.json",
        "--from in --audit in/audit.log",
        "--from in --keep-tree --audit in/sub/audit.log",
        "--keep-tree --from in --receipts in/sub",
    ] {
        fs::create_dir_all(yard.from.join("sub")).unwrap();
        let refused = yard.folder.run(&format!("producer intake DROP --once {args}"), &[]).with(65);
        all += &yard.folder.normal(&refused.err, &[]);
        assert!(
            !yard.from.join(".filedrop").exists() && !yard.folder.beside("other/.filedrop").exists(),
            "{args}"
        );
    }
    said("producer intake DROP --once --from in --audit no/such/folder", &[], 74);
    assert!(!yard.from.join(".filedrop").exists());
    said("producer intake DROP --once --from in --audit drop/acme.log", &[], 0);
    said("producer intake DROP --once --from in --audit beside.log", &[], 0);
    all += &said("producer intake DROP --once --from in --audit in/.filedrop/lock", &[], 65);
    fs::remove_dir(yard.from.join("sub")).unwrap();
    let _running = yard.folder.start("producer intake DROP", &yard.args(&[]));
    yard.put("x.csv", "");
    wait_until("it is at work", || yard.names().is_empty().then_some(()));
    all += &said("producer intake DROP --once --from", &[from], 75);
    let steady = yard.folder.run("producer intake DROP -q --from", &[from]).with(75);
    assert!(steady.err.contains("another intake is at work"), "one that was to stay did not: {steady:?}");
    golden("intake-errors.txt", &all);
}

/// As cron starts them, when each takes longer than the pause between two.
#[test]
fn runs_that_overlap_take_each_file_once_and_say_nothing() {
    const FILES: usize = 100;
    let yard = Yard::new();
    for nth in 0..FILES {
        yard.put(&format!("{nth}.csv"), "");
    }
    let run = |_| yard.folder.start("producer intake DROP --once -q", &yard.args(&[]));
    let ended: Vec<_> = (0..10).map(run).collect::<Vec<_>>().into_iter().map(|run| run.end()).collect();
    assert!(ended.iter().all(|run| run.err.is_empty() && matches!(run.code, Some(0 | 75))), "{ended:?}");
    assert!(ended.iter().any(|run| run.code == Some(0)), "{ended:?}");
    assert_eq!((yard.folder.jobs("inbox").len(), yard.names().len()), (FILES, 0));
    yard.is_cleared();
}

/// Whoever uploads could put links where we write.
#[test]
fn links_of_the_partner_lead_nowhere() {
    let yard = Yard::new();
    let outside = yard.folder.beside("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(yard.from.join("sub")).unwrap();
    yard.put("sub/x.csv", "");
    std::os::unix::fs::symlink(&outside, yard.from.join(".filedrop")).unwrap();
    let ended = yard.once(&["--keep-tree"]).with(65);
    assert!(ended.err.contains("a folder of the intake's own user"), "{ended:?}");
    fs::remove_file(yard.from.join(".filedrop")).unwrap();
    std::os::unix::fs::symlink(&outside, yard.receipts.join("sub")).unwrap();
    std::os::unix::fs::symlink(&outside, yard.from.join("link")).unwrap();
    let ended = yard.once(&["--keep-tree"]).with(74);
    assert!(ended.err.contains("cannot write a receipt"), "{ended:?}");
    assert_eq!(yard.folder.jobs("inbox").len(), 1, "it is a job all the same");
    fs::remove_file(yard.receipts.join("sub")).unwrap();
    yard.once(&["--keep-tree"]).with(0);
    assert!(yard.receipt("sub/x.csv.accepted").is_some(), "and is told as soon as it can be");
    assert_eq!(yard.folder.jobs("inbox").len(), 1);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

/// Somebody put a folder where a receipt is to be.
#[test]
fn a_receipt_that_cannot_be_written_holds_up_no_other() {
    let yard = Yard::new();
    let names: Vec<_> = (0..6).map(|nth| format!("{nth}.csv")).collect();
    let blocked = |what: &str| yard.receipts.join(format!("3.csv.{what}"));
    for name in &names {
        yard.put(name, name);
    }
    let plans = || {
        let all = yard.folder.names(yard.from.join(".filedrop").to_str().unwrap());
        all.iter().filter(|name| name.ends_with(".plan.json")).count()
    };
    fs::create_dir(blocked("accepted")).unwrap();
    let ended = yard.once(&[]).with(74);
    assert!(ended.err.contains("cannot write a receipt"), "{ended:?}");
    let told =
        |what: &str| names.iter().filter(|name| yard.receipt(&format!("{name}.{what}")).is_some()).count();
    assert_eq!((told("accepted"), plans(), yard.audit().len()), (5, 1, 6));
    fs::remove_dir(blocked("accepted")).unwrap();
    yard.once(&[]).with(0);
    assert_eq!((told("accepted"), plans()), (6, 0));
    yard.handle();
    fs::create_dir(blocked("done")).unwrap();
    yard.once(&[]).with(74);
    assert_eq!(told("done"), 5, "nor what became of the others");
    fs::remove_dir(blocked("done")).unwrap();
    yard.once(&[]).with(0);
    assert_eq!(told("done"), 6);
    yard.is_cleared();
}

/// P16
#[test]
fn drafts_of_the_killed_are_swept() {
    let yard = Yard::new();
    yard.once(&[]).with(0);
    let [old, young] = ["old", "young"].map(|name| yard.from.join(".filedrop/tmp").join(name));
    for (path, hours) in [(&old, 25), (&young, 23)] {
        let file = fs::File::create(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }
    yard.once(&[]).with(0);
    assert!(!old.exists() && young.exists());
}
