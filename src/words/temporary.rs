//! Who gives which temporary names to files.

/// Who uses a pattern of [`TEMPORARY`](super::TEMPORARY), for people. `None` for any other pattern.
pub fn used_by(pattern: &str) -> Option<&'static str> {
    Some(match pattern {
        ".*" => "rsync while it writes, and whoever hides a file",
        "*~" => "editors, for backups",
        "~$*" => "Microsoft Office, for locks",
        "#*#" => "Emacs, for what is not saved yet",
        "*.filepart" => "WinSCP while it writes",
        "*.part" => "Firefox, KDE and other programs while they write",
        "*.partial" => "rclone and other programs while they write",
        "*.tmp" | "*.temp" => "many programs while they write",
        "*.crdownload" => "Chrome while it writes",
        "*.download" => "Safari while it writes",
        "*.opdownload" => "Opera while it writes",
        "*.writing" | "*.uploading" | "*.upload" => "programs that upload, while they write",
        "*.swp" | "*.swx" => "Vim, for what is not saved yet",
        "*.lftp-pget-status" => "lftp, for how far it has come",
        "*.aria2" => "aria2, for how far it has come",
        "*.axel" => "Axel, for how far it has come",
        "Thumbs.db" | "desktop.ini" => "Windows, for itself",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::TEMPORARY;
    use super::used_by;

    #[test]
    fn each_is_somebodys() {
        assert!(TEMPORARY.iter().all(|pattern| used_by(pattern).is_some()));
        assert_eq!(used_by("*.csv"), None);
    }
}
