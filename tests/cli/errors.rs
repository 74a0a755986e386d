//! What is said when something is wrong, and the exit codes.

use crate::harness::{Folder, golden};

#[test]
fn wrong_command_lines() {
    let folder = Folder::new();
    let mut transcript = String::new();
    for (words, more) in [
        ("producer submit DROP --type t --data", "{\"a\":"),
        ("producer submit DROP --type t --data", "hello"),
        ("producer submit DROP --type t --data", "it's 5 o'clock"),
        ("producer submit DROP --type t --body", "hello"),
        ("producer call DROP --type t --payload", "{}"),
        ("producer submit DROP --type t", "hello"),
        ("producer submit DROP --type t --data 1 --file", "f"),
        ("producer submit DROP --type t --batch f --data", "1"),
        ("producer submit DROP --type", ""),
        ("producer submit DROP --data", "1"),
        ("producer submit DROP --type t --id", "A"),
        ("producer submit DROP --type t --priority", "10"),
        ("producer submit DROP --type t --delay", "soon"),
        ("producer submit DROP --type t --delay", "-5s"),
        ("producer submit DROP --type t --delay", "99999999999d"),
        ("producer submit DROP --type t --at", "tomorrow"),
        ("producer submit DROP --type t --at", "9999-12-31T23:59:59Z"),
        ("producer submit DROP --type t --expires", "-1h"),
        ("producer submit DROP --type t --expires", "99999999999d"),
        ("producer submit DROP --type t --priority", "-1"),
        ("producer submit DROP --type t --delay 1s --at", "2100-01-01T00:00:00Z"),
        ("producer submit DROP --type t --expires", "later"),
        ("producer submit DROP --type t --delay 2s --expires", "2s"),
        ("producer call DROP --type t --at 2100-01-01T00:00:00Z --expires", "2099-12-31T23:59:59+00:00"),
        ("producer submit DROP --type t --max-attempts", "0"),
        ("producer submit DROP --type t --batch f --id", "a"),
        ("producer submit DROP --type t", "--envelopes"),
        ("producer submit DROP --batch f --envelopes --priority", "1"),
        ("producer wait", "DROP"),
        ("producer submit DROP --type t --id", ""),
        ("producer wait DROP", "../etc"),
        ("producer wait DROP a --timeout", "soon"),
        ("producer wait DROP a --timeout", "-5s"),
        ("producer call DROP --type t --batch", "f"),
        ("consumer run", "DROP"),
        ("consumer run DROP", "cat"),
        ("consumer run DROP --concurrency 0 --", "cat"),
        ("consumer run DROP --lease 99ms --", "cat"),
        ("consumer run DROP --lease -1s --", "cat"),
        ("consumer run DROP --max-attempts -1 --", "cat"),
        ("consumer run DROP --max-bytes 17M --", "cat"),
        ("consumer run DROP --max-output 3MiB --", "cat"),
        ("consumer run DROP --max-output much --", "cat"),
        ("consumer run DROP --handler-timeout 0s --", "cat"),
        ("consumer run DROP --poll-interval 0s --", "cat"),
        ("consumer run DROP --watch deaf --", "cat"),
        ("consumer run DROP --ignore [ --", "cat"),
        ("consumer run DROP --ignore in/*.csv --", "cat"),
        ("consumer run DROP --marker= --", "cat"),
        ("consumer run DROP --marker / --", "cat"),
        ("consumer run DROP --marker ok --", "cat"),
        ("consumer run DROP --marker *.done --", "cat"),
        ("producer intake DROP --from in --include", "["),
        ("producer intake DROP --from in --include", ""),
        ("producer intake DROP --from in --exclude", "{a"),
        ("producer intake DROP --from in --marker", "done"),
        ("producer intake DROP --from in --manifest-timeout", "1s"),
        ("producer intake DROP --from in --group-by manifest --manifest", "[a"),
        ("filedrop show DROP", "A"),
        ("filedrop dead redrive", "DROP"),
        ("filedrop dead purge", "DROP"),
        ("filedrop dead redrive DROP a", "--all"),
        ("filedrop dead purge DROP --reason", "age"),
        ("filedrop dead redrive DROP --all --rate", "10/h"),
        ("filedrop status DROP -q", "-v"),
        ("filedrop status DROP", "--watch=0"),
        ("filedrop status DROP", "--watch=often"),
        ("filedrop status DROP --log-format", "xml"),
        ("filedrop topics add DROP", "billing"),
        ("filedrop dead DROP", "list"),
        ("filedrop topics DROP add billing", "orders*"),
        ("filedrop topics DROP add", "Billing"),
        ("producer collect DROP --as billing", "cat"),
        ("producer collect DROP --as", "Bad Name"),
        ("producer submit DROP --type t --reply-to", "Billing"),
    ] {
        let ended = folder.run(words, &[more]).with(2);
        assert!(ended.out.is_empty(), "{ended:?}");
        transcript += &format!("$ {words} {more:?}\n{}\n", folder.normal(&ended.err, &[]));
    }
    golden("usage.txt", &transcript);
}

#[test]
fn what_is_not_there() {
    let folder = Folder::new();
    std::fs::create_dir(folder.beside("plain")).unwrap();
    std::fs::create_dir(folder.beside("newer")).unwrap();
    std::fs::write(folder.beside("newer/filedrop.json"), "{\"protocol\":9}").unwrap();
    folder.file("file", "");
    for (script, interpreter) in
        [("uninstalled", "/nowhere/python3 -u\n"), ("dos", " /bin/sh\r\n"), ("odd", "/bin")]
    {
        folder.file(script, format!("#!{interpreter}"));
        let modes = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.beside(script), modes).unwrap();
    }
    let mut transcript = String::new();
    for (words, code) in [
        ("filedrop status nowhere", 66),
        ("filedrop status plain", 66),
        ("filedrop status file", 66),
        ("producer submit DROP --type t --file file/below", 66),
        ("filedrop status newer", 78),
        ("filedrop init newer", 78),
        ("filedrop init file/below", 73),
        ("filedrop init file", 73),
        ("producer submit nowhere --type t", 66),
        ("producer wait plain a", 66),
        ("producer call newer --type t", 78),
        ("consumer run plain -- cat", 66),
        ("producer submit DROP --type t --file nowhere", 66),
        ("producer submit DROP --type t --file plain", 66),
        ("producer submit DROP --type t --batch nowhere", 66),
        ("consumer run DROP -- no-such-command", 69),
        ("consumer run DROP -- ./no-such-command", 69),
        ("consumer run DROP -- ./file", 69),
        ("consumer run DROP -- ./plain", 69),
        ("consumer run DROP -- ./uninstalled", 69),
        ("consumer run DROP -- ./dos", 69),
        ("consumer run DROP -- ./odd", 69),
        ("producer submit DROP --type t --expires 2020-01-01T00:00:00Z", 65),
        ("filedrop show DROP unknown-id", 1),
        ("filedrop dead list nowhere", 66),
        ("filedrop dead list DROP unknown-id", 1),
        ("filedrop dead show DROP unknown-id", 1),
        ("filedrop dead redrive DROP unknown-id", 1),
        ("filedrop dead purge DROP unknown-id", 1),
        ("producer wait DROP unknown-id --timeout 10ms", 124),
        ("producer wait DROP unknown-id --timeout 10ms -q", 124),
    ] {
        let ended = folder.run(words, &[]).with(code);
        assert!(ended.out.is_empty(), "{ended:?}");
        transcript += &format!("$ {words}\n{}", folder.normal(&ended.err, &[]));
    }
    golden("errors.txt", &transcript);
}

#[test]
fn rust_log_that_is_not_understood_is_said() {
    let folder = Folder::new();
    let mut command = folder.command("filedrop status DROP", &[]);
    command.env("RUST_LOG", "filedrop=loud");
    let ended = crate::harness::Running::start(command).end().with(0);
    assert!(ended.err.starts_with("filedrop: RUST_LOG=\"filedrop=loud\" is not understood"), "{}", ended.err);
}
