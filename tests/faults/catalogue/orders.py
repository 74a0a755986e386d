"""Two steps in the wrong order, each of them done."""

from fault import Fault, local

FLUSH_ROOM = "        flush_for_each(cases, |case| case.is_staged().then(|| claims.clone()), flush);\n"
DECIDE = "        each(cases, |case| self.decide(room, case));\n"
FLUSH = "        flush_for_each(cases, |case| case.is_decided().then(|| self.layout.slot_day(case.job())), flush);\n"
ARCHIVE = """        each(cases, |case| match case.counts {
            true => self.bury(room, case.job(), grave(case)),
            false => self.archive(room, case.job()),
        });
"""

FAULTS = [
    Fault(
        "p9-order",
        "P9 P10",
        "an outcome is decided before it is staged",
        "proof crash_points::p9_p12_stage_and_deliver",
        [
            local(
                "together.rs",
                "            self.publish_written(case.draft.take(), &case.bytes, &path)?;\n",
                "            let (slot, day) = (self.layout.slot(case.job()), self.layout.slot_day(case.job()));\n"
                "            let link = || self.publish_written_if_free(case.draft.take(), &case.bytes, &slot);\n"
                "            match (self.inside(&day, link)?, self.look(&slot)?) {\n"
                "                (true, Some(file)) => self.link_if_free(&slot, file.id, &path).map(drop)?,\n"
                "                _ => self.publish(&case.bytes, &path)?,\n"
                "            }\n",
            )
        ],
    ),
    Fault(
        "p11-order",
        "P10 P11",
        "the claim is archived before the outcome is decided",
        "proof crash_points::p4_to_p11_claim_handle_settle",
        [
            local(
                "together.rs",
                DECIDE,
                "        each(cases, |case| self.bury(room, case.job(), self.layout.grave(case.outcome)));\n" + DECIDE,
            ),
            local("together.rs", ARCHIVE, ""),
        ],
    ),
    Fault(
        "p11-together",
        "P11 R5",
        "the claims of several jobs are archived before the one flush of their slots",
        "proof together::p10_p11_several",
        [local("together.rs", FLUSH, ""), local("together.rs", ARCHIVE, ARCHIVE + FLUSH)],
    ),
    Fault(
        "p9-together",
        "P9 R5",
        "several outcomes are decided before the one flush of the room in which they are staged",
        "proof together::p9_p12_several",
        [local("together.rs", FLUSH_ROOM, ""), local("together.rs", DECIDE, DECIDE + FLUSH_ROOM)],
    ),
    Fault(
        "p11-reason-order",
        "P11",
        "a job is buried before its reason is there",
        "proof crash_points::p11_bury",
        [
            local("together.rs", ARCHIVE, ""),
            local("together.rs", "        each(cases, |case| {\n            grave(case)", ARCHIVE + "        each(cases, |case| {\n            grave(case)"),
        ],
    ),
    Fault(
        "p12-order",
        "P12",
        "an outcome is delivered before it is decided",
        "proof races::zombie_resumes_at_every_step_with_return_address",
        [
            local(
                "together.rs",
                "            Way::Staged(_) => match self.decide_staged(room, &case.staged)? {\n",
                "            Way::Staged(ref address) => match self.deliver(room, &case.staged, address).and_then(|inbox| {\n"
                "                let path = inbox.join(case.job().delivery().to_string());\n"
                "                let Some(file) = self.look(&path)? else { return Ok(None) };\n"
                "                let slot = self.layout.slot(case.job());\n"
                "                let link = || self.link_if_free(&path, file.id, &slot);\n"
                "                self.inside(&self.layout.slot_day(case.job()), link).map(Some)\n"
                "            })? {\n",
            )
        ],
    ),
    Fault(
        "p13-order",
        "P13",
        "claims of the dead go back before their staged outcomes are helped on",
        "proof rooms::p13_a_look_begins_nothing_that_is_decided",
        [
            local(
                "recover.rs",
                "        let left = self.left_in(room)?;\n",
                "        let mut left = self.left_in(room)?;\n"
                "        left.sort_by_key(|left| !matches!(left, Left::Claim(_)));\n",
            ),
            local(
                "recover.rs",
                "                Left::Claim(name) => claims.push(name),\n",
                "                Left::Claim(name) if self.is_settled(&name)? => claims.push(name),\n"
                "                Left::Claim(name) => {\n"
                "                    self.relocate(&self.layout.claim(room, &name), &self.layout.ready(&name.next_attempt()))?;\n"
                "                    takeover.returned += 1;\n"
                "                }\n",
            ),
        ],
    ),
    Fault(
        "p17-order",
        "P17",
        "a consumer that leaves removes its presence before its room",
        "proof rooms::p17_who_dies_while_it_leaves_is_cleared_at_once",
        [
            local(
                "presence.rs",
                "        self.flush_dir_if_there(&dir)?;\n        if let Err(e) = self.fs.remove_dir(&dir)",
                "        self.flush_dir_if_there(&dir)?;\n        self.remove(&self.layout.presence(&room.name))?;\n"
                "        if let Err(e) = self.fs.remove_dir(&dir)",
            )
        ],
    ),
    Fault(
        "p20-order",
        "P20",
        "a job is published before its given id is taken",
        "proof policies::p20_given_by_two_at_once",
        [
            local(
                "ledger.rs",
                "        self.publish(&job.bytes, &draft)?;\n",
                "        self.publish(&job.bytes, &self.first_place(&job.name, job.due))?;\n"
                "        self.publish(&job.bytes, &draft)?;\n",
            )
        ],
    ),
    Fault(
        "p21-order",
        "P21",
        "a dead letter's reason goes, and it is archived, before it is submitted again",
        "proof policies::p21_redrive",
        [
            local(
                "dead.rs",
                "        let submitted = self.publish_given(&new, false);\n",
                "        let day = self.layout.archive_day(letter);\n"
                '        self.remove(&self.layout.room("dead").join(letter.reason()))?;\n'
                "        self.inside(&day, || self.relocate(&dead, &self.layout.archived(letter)))?;\n"
                "        let submitted = self.publish_given(&new, false);\n",
            )
        ],
    ),
    Fault(
        "p22-order",
        "P22",
        "what is put back goes from the inbox before it is anywhere else",
        "proof policies::p22_put_back",
        [
            local(
                "misplaced.rs",
                "        let linked = || self.link_if_free(&misplaced, own, place);",
                "        let aside = self.draft_path();\n"
                "        let _ = self.fs.rename(&misplaced, &aside);\n"
                "        let misplaced = aside;\n"
                "        let linked = || self.link_if_free(&misplaced, own, place);",
            )
        ],
    ),
    Fault(
        "p22-late",
        "P22",
        "what was put back goes from the inbox, whoever has put it there again",
        "proof policies::p22_put_back_twice",
        [
            local(
                "misplaced.rs",
                "            if self.look(&place)?.is_some_and(|there| there.id == own.id) {",
                "            if self.look(&place)?.is_none_or(|there| there.id == own.id) {",
            )
        ],
    ),
    Fault(
        "p13-away",
        "P13 P17",
        "a room whose consumer may be only silent goes by the name that it knows",
        "proof races::who_wakes_moves_nothing_out_of_a_room_that_goes",
        [
            local(
                "recover.rs",
                "if locked { self.remove_room(&dir)? }",
                "if locked || !strangers { self.remove_room(&dir)? }",
            )
        ],
    ),
    Fault(
        "p31-gone",
        "P31 P13",
        "files whose room was taken away with their envelope become a job without it",
        "proof intake::p31_awake_for_a_moment",
        [local("admission.rs", "        if envelope.is_none()\n", "        if envelope.is_none() && inbox.as_os_str().is_empty()\n")],
    ),
    Fault(
        "p29-unjudged",
        "P29",
        "a file that was taken in the stead of another is admitted by whoever recovers it",
        "proof strangers::p29_what_nobody_judged_goes_back",
        [local("admission.rs", "            if own.is_some_and(|own| own != stamp.id) {", "            if own.is_some_and(|own| own == stamp.id && false) {")],
    ),
    Fault(
        "p15-order",
        "P15",
        "an outcome is settled before it is handed over",
        "cli answers::a_closed_pipe_settles_nothing_that_was_not_written",
        [
            (
                "src/actors/collector/desk.rs",
                "        // It must not end the thread: a heart would beat for nobody.\n",
                "        let _ = self.store.collected(&room, &claim);\n",
            )
        ],
    ),
]
