//! Groups on the command line, by name or number.

use nix::unistd::Group;

/// The number of a group. As `chgrp` has it, a name that is made of digits comes before a number.
pub(super) fn number(text: &str) -> Result<u32, String> {
    // Asked for through the C library: at many sites groups are in a directory service, not in /etc/group.
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => match text.parse() {
            // To the system this one means "leave it as it is".
            Ok(u32::MAX) | Err(_) => Err("there is no such group".to_owned()),
            Ok(number) => Ok(number),
        },
        Err(e) => Err(format!("cannot ask the system for this group: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(number("4294967294"), Ok(4_294_967_294));
        for wrong in ["", "-1", "4294967295", "4294967296", "no such group"] {
            assert!(number(wrong).is_err(), "{wrong:?}");
        }
        let ours = Group::from_gid(nix::unistd::getgid());
        if let Ok(Some(group)) = ours {
            assert_eq!(number(&group.name), Ok(group.gid.as_raw()));
        }
    }
}
