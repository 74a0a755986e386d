"""Names that two could give to different files, and that are replaced (R2)."""

from fault import Fault, local

FAULTS = [
    Fault(
        "p1-replace",
        "P1 R2",
        "a second init replaces `filedrop.json`",
        "proof init::p1_two_init_one_folder",
        [
            local(
                "init.rs",
                "self.publish_if_free(&marker, &layout.marker())",
                "self.replace(&marker, &layout.marker())",
            )
        ],
    ),
    Fault(
        "p10-replace",
        "P10 R2",
        "a slot is replaced if it is taken",
        "proof races::zombie_resumes_at_every_step_without_return_address",
        [
            local(
                "draft.rs",
                """        let answer = match &draft.path {
            None => self.fs.link_unnamed(&draft.file, to),
            Some(path) => self.fs.link(path, to),
""",
                """        let _ = self.fs.unlink(to);
        let answer = match &draft.path {
            None => self.fs.link_unnamed(&draft.file, to),
            Some(path) => self.fs.link(path, to),
""",
            )
        ],
    ),
    Fault(
        "p10-replace-staged",
        "P10 R2",
        "a slot is replaced by an outcome that was staged",
        "proof races::zombie_resumes_at_every_step_with_return_address",
        [
            local(
                "settle.rs",
                "        let link = || self.link_if_free(",
                "        let _ = self.fs.unlink(&self.layout.slot(&staged.job));\n"
                "        let link = || self.link_if_free(",
            )
        ],
    ),
    Fault(
        "p15-replace",
        "P15 R2",
        "the archive of a delivered outcome is replaced",
        "proof races::collectors_race_and_one_is_a_zombie",
        [
            local(
                "collect.rs",
                "        let answer = self.fs.link(claim, archived);",
                "        let _ = self.fs.unlink(archived);\n        let answer = self.fs.link(claim, archived);",
            )
        ],
    ),
    Fault(
        "p20-replace",
        "P20 R2",
        "the entry of a given id is replaced",
        "proof policies::p20_given_by_two_at_once",
        [
            local(
                "ledger.rs",
                "        let ours = match self.link_if_free(",
                "        let _ = self.fs.unlink(&entry);\n        let ours = match self.link_if_free(",
            )
        ],
    ),
    Fault(
        "p22-replace",
        "P22 R2",
        "what is put back replaces what lies there",
        "contract policies::what_is_no_job_is_put_back",
        [
            local(
                "misplaced.rs",
                "        let linked = || self.link_if_free(&misplaced, own, place);",
                "        let _ = self.fs.unlink(place);\n        let linked = || self.link_if_free(&misplaced, own, place);",
            )
        ],
    ),
    Fault(
        "p28-replace",
        "P28 R2",
        "a file that goes back replaces the next one of its name",
        "proof strangers::p28_put_back_beside_the_next",
        [
            local(
                "admission.rs",
                "self.fs.rename_new(from, to);\n        if self.look(from)",
                "self.fs.rename(from, to);\n        if self.look(from)",
            )
        ],
    ),
    Fault(
        "p33-replace",
        "P33 R2",
        "a second subscription of a group replaces the first",
        "proof groups::p33_two_subscribe_one_group",
        [
            local(
                "exchange/groups.rs",
                "self.publish_if_free(&wanted.encode(), &path)?",
                "self.replace(&wanted.encode(), &path).is_ok()",
            )
        ],
    ),
]
