//! Which folders of a drop folder's cannot be used, in words.

use super::Diagnosis;
use super::risks::Risks;
use crate::adapters::probe::{Flaw, Unusable};

/// So many are told of one by one.
const MOST: usize = 16;

pub(super) fn judge(found: &Diagnosis, risks: &mut Risks) {
    for unusable in found.unusable.iter().take(MOST) {
        risks.breaks("room", in_words(found, unusable));
    }
    let more = found.unusable.len().saturating_sub(MOST);
    if more > 0 {
        risks.breaks("room", format!("{more} more of its folders cannot be used"));
    }
}

fn in_words(found: &Diagnosis, Unusable { path, flaw }: &Unusable) -> String {
    let (root, path, access) = (found.folder.display(), path.display(), &found.access);
    match flaw {
        Flaw::Missing => format!(
            "{path} is not there, and whoever needs it waits: make it again, with the owner and the modes of the folders beside it \
             (`filedrop init {root}` does, if it is one of the drop folder's own)"
        ),
        Flaw::NoFolder => {
            format!("{path} is no folder, and whoever needs it waits: move it away, and make a folder there")
        }
        Flaw::Elsewhere => format!(
            "{path} is another file system or mount, and nothing can be moved there from the other folders: all of a drop folder has \
             to lie on one; unmount it"
        ),
        Flaw::Unknown { why } => format!(
            "{path} cannot be looked at ({why}), and whoever needs it waits: if something is mounted there whose server is gone, unmount \
             it (`umount --lazy {path}`); of a disk that failed the kernel's log tells"
        ),
        Flaw::Closed { owner, group, mode } => {
            let help = match access.shared {
                true => format!("`filedrop init {root} --shared {}` gives it to the group", access.group),
                false => format!("or give all of it to a group, with `filedrop init {root} --shared GROUP`"),
            };
            let user = access.user;
            format!(
                "user {user} may not read and write {path} (user {owner}, group {group}, mode {mode:o}), and what needs it waits: let \
                 its owner or root change that (chmod, chown); {help}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::diagnosis;
    use super::*;
    use crate::ports::WatchMode;

    #[test]
    fn of_very_many_some_are_told_and_how_many_there_are() {
        let unusable =
            |nth| Unusable { path: format!("/srv/drop/replies/r{nth}/inbox").into(), flaw: Flaw::Missing };
        let found = diagnosis(|found| found.unusable = (0..20).map(unusable).collect(), WatchMode::Notify);
        assert!(found.risks.iter().all(|risk| risk.what == "room" && risk.breaks_promise));
        assert_eq!(found.risks.len(), MOST + 1);
        assert_eq!(found.risks[MOST].says, "4 more of its folders cannot be used");
    }
}
