//! What names say.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use filedrop::words::{
    Customs, ErrorKind, Id, Sort, TEMPORARY, Version, from_shown, id_of_file, shown, type_of_file,
};

/// One name for each pattern, as a program gives it.
const EXAMPLES: [(&str, &str); 22] = [
    (".*", ".orders.csv.aB3dE5"),                 // rsync
    ("*~", "orders.csv~"),                        // Emacs, Vim: the version before
    ("~$*", "~$Orders.xlsx"),                     // Excel: who has it open
    ("#*#", "#orders.csv#"),                      // Emacs: what is not saved yet
    ("*.filepart", "orders.csv.filepart"),        // WinSCP
    ("*.part", "orders.csv.part"),                // Firefox, Dolphin
    ("*.partial", "orders.csv.8c1d02fe.partial"), // rclone
    ("*.tmp", "ORD01234.TMP"),                    // many, on Windows
    ("*.temp", "orders.temp"),
    ("*.crdownload", "Unconfirmed 4711.crdownload"), // Chrome
    ("*.download", "orders.csv.download"),           // Safari
    ("*.opdownload", "orders.csv.opdownload"),       // Opera
    ("*.writing", "orders.csv.writing"),
    ("*.uploading", "orders.csv.uploading"),
    ("*.upload", "orders.csv.upload"),
    ("*.swp", "orders.csv.swp"), // Vim
    ("*.swx", "orders.csv.swx"), // Vim, for a moment
    ("*.lftp-pget-status", "orders.csv.lftp-pget-status"),
    ("*.aria2", "orders.csv.aria2"),
    ("*.axel", "orders.csv.axel"),
    ("Thumbs.db", "Thumbs.db"),     // Windows
    ("desktop.ini", "Desktop.ini"), // Windows
];

/// What people drop, some of it nearly like the above.
const ORDINARY: [&str; 22] = [
    "orders.csv",
    "a.tar.gz",
    "part-0001.csv",
    "Übersicht 2026.xlsx",
    "data.json",
    "x",
    "job.json",
    "part",
    "tmp",
    "done",
    "temp.csv",
    "a~b.csv",
    "#1.csv",
    "$~x",
    "x.parts",
    "x.part.csv",
    "download",
    "Thumbs.db.zip",
    "x.done.csv",
    "-rf",
    "a\nb.csv",
    "x.",
];

fn sort(customs: &Customs, name: &str) -> Sort {
    customs.sort(OsStr::new(name))
}

#[test]
fn every_temporary_name_is_one_of_a_program() {
    assert_eq!(EXAMPLES.map(|(pattern, _)| pattern), TEMPORARY);
    for (pattern, name) in EXAMPLES {
        assert_eq!(sort(&Customs::default(), name), Sort::Ignored(pattern.to_owned()), "{name}");
    }
}

#[test]
fn ordinary_names_are_jobs() {
    let customs = Customs::default();
    for name in ORDINARY {
        assert_eq!(sort(&customs, name), Sort::Bare, "{name:?}");
    }
    assert_eq!(customs.sort(OsStr::from_bytes(b"\xff\xfe.csv")), Sort::Bare);
}

#[test]
fn names_of_ours_are_never_files_of_others() {
    for name in
        ["5.1764000000000.a.1.job.json", "typo.job.json", "x.jobs.ndjson", ".x.job.json", "a.reason.json"]
    {
        assert_eq!(sort(&Customs::default(), name), Sort::Ours, "{name}");
    }
}

#[test]
fn markers_say_of_which_file() {
    let usual = Customs::default();
    let own = Customs::new(&[], &[".ok".to_owned(), "_complete".to_owned()]).unwrap();
    assert!(!usual.marker_required() && own.marker_required());
    let of = |name: &str| Sort::Marker(name.into());
    for (name, by_usual, by_own) in [
        ("x.csv.done", of("x.csv"), of("x.csv")),
        ("x.csv.sha256", of("x.csv"), of("x.csv")),
        ("x.csv.ok", Sort::Bare, of("x.csv")),
        ("x_complete", Sort::Bare, of("x")),
        ("_complete", Sort::Bare, Sort::Bare),
        (".done", Sort::Ignored(".*".to_owned()), Sort::Ignored(".*".to_owned())),
        ("x.done.done", of("x.done"), of("x.done")),
    ] {
        assert_eq!((sort(&usual, name), sort(&own, name)), (by_usual, by_own), "{name}");
    }
    assert!(Customs::is_checksum(".sha256") && !Customs::is_checksum(".done"));
}

#[test]
fn further_patterns_are_about_bytes_of_any_kind() {
    let patterns = ["*.bak", "draft-[0-9]?.csv", "*.{old,new}"].map(str::to_owned);
    let customs = Customs::new(&patterns, &[]).unwrap();
    for (name, pattern) in [
        (&b"\xff\n.BAK"[..], "*.bak"),
        (b"Draft-1\n.csv", "draft-[0-9]?.csv"),
        (b"x.old", "*.{old,new}"),
        (b"x.new", "*.{old,new}"),
    ] {
        let sort = customs.sort(OsStr::from_bytes(name));
        assert_eq!(sort, Sort::Ignored(pattern.to_owned()), "{}", name.escape_ascii());
    }
    assert_eq!(sort(&customs, "draft-x1.csv"), Sort::Bare);
}

#[test]
fn what_is_no_pattern_or_no_suffix_is_refused() {
    for pattern in ["[", "[z-a]", "{a", "a\\", "", "in/*.csv"] {
        let refused = Customs::new(&[pattern.to_owned()], &[]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains(&format!("{pattern:?}")), "{refused}");
    }
    for marker in ["", "/", ".a/b", "ok", "done", "1", "é", "*.done", ".?", ".[a]", ".tmp", ".job.json"] {
        let refused = Customs::new(&[], &[marker.to_owned()]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{marker:?}");
    }
    let refused = Customs::new(&[], &["ok".to_owned()]).unwrap_err().to_string();
    assert!(refused.ends_with("did you mean .ok"), "{refused}");
}

#[test]
fn no_two_names_are_shown_alike() {
    for (name, as_this) in [
        (&b"x y%.csv"[..], "x y%.csv"),
        (b"100%25.csv", "100%25.csv"),
        (b"%2F", "%2F"),
        (b"%0a", "%0a"),
        ("é.csv".as_bytes(), "é.csv"),
        (b"\n.csv", "%0A.csv"),
        (b"%0A.csv", "%250A.csv"),
        (b"%250A.csv", "%25250A.csv"),
        (b"%250A %.csv", "%250A %.csv"),
        (b"\n %", "%0A%20%25"),
        (b"\xff", "%FF"),
        (b"%FF", "%25FF"),
        (b"\xc2\x85", "%C2%85"),
    ] {
        let name = OsStr::from_bytes(name);
        assert_eq!(shown(name), as_this);
        assert_eq!(from_shown(as_this).as_deref(), Some(name));
    }
    assert_eq!(from_shown("\n"), None);
    // As deep as a name can be.
    let deep = format!("%{}0A", "25".repeat(126));
    assert_eq!(shown(OsStr::new(&deep)), format!("%25{}", &deep[1..]));
}

#[test]
fn types_follow_from_extensions() {
    for (name, kind) in [
        ("orders.csv", "file.csv"),
        ("SCAN.PDF", "file.pdf"),
        ("a.tar.gz", "file.gz"),
        ("x.7z", "file.7z"),
        ("x", "file"),
        ("x.", "file"),
        (".profile", "file"),
        ("x.c v", "file"),
        ("x.c-v", "file"),
        ("x.é", "file"),
        ("a.b\n", "file"),
    ] {
        assert_eq!(type_of_file(OsStr::new(name)), kind, "{name:?}");
    }
    assert_eq!(type_of_file(OsStr::from_bytes(b"x.\xff")), "file");
}

#[test]
fn ids_follow_from_files_not_from_names_or_modes() {
    let file = Version { ino: 1, size: 2, modified_ns: 3, changed_ns: 4, born_ns: Some(5) };
    let id = id_of_file(&file).unwrap();
    assert_eq!(id.as_str().parse::<Id>(), Ok(id.clone()));
    assert!(id.as_str().starts_with('f') && id.as_str().len() == 33, "{id}");
    assert_eq!(id.minted_at(), None, "it is not taken for one that we minted");
    // Consumers of different versions must agree on it, or a crash between them would make two jobs.
    assert_eq!(id.as_str(), "fc239b62fd3bf7de0ecd2bc7cbd5c45b1");
    assert_eq!(id_of_file(&Version { changed_ns: 9, ..file }), Some(id.clone()), "a link, a rename, a chmod");
    let others = [
        Version { ino: 9, ..file },
        Version { size: 9, ..file },
        Version { modified_ns: 9, ..file },
        Version { born_ns: Some(9), ..file },
        Version { ino: 2, size: 1, ..file },
    ];
    for other in others {
        assert_ne!(id_of_file(&other), Some(id.clone()), "{other:?}");
    }
    assert_eq!(id_of_file(&Version { born_ns: None, ..file }), None, "an inode may be used again");
}
