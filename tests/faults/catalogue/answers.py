"""Answers that are believed (R3, R4), and looks that are left out."""

from fault import Fault, local

FAULTS = [
    Fault(
        "r3-rename",
        "R3 P6",
        "a claim whose rename answers with an error is not looked for in the room",
        "proof answers::p6_a_claim_whose_answer_is_lost",
        [
            local(
                "claim.rs",
                "        let (bytes, unreadable) = match found(self.fs.open(&path)) {",
                "        if answer.is_err() {\n            return Ok(Claimed::Lost);\n        }\n"
                "        let (bytes, unreadable) = match found(self.fs.open(&path)) {",
            )
        ],
    ),
    Fault(
        "r3-publish",
        "R3 P3",
        "a file whose publication answers with an error is called not published",
        "proof answers::p3_a_submission_that_is_refused",
        [
            local(
                "draft.rs",
                """            _ => Ok(Named::Ours),""",
                """            _ => Err(Error::io("publish a file", to, e)),""",
            )
        ],
    ),
    Fault(
        "r1-flush",
        "R1 P2",
        "a draft whose flush failed is used all the same",
        "proof scenarios::scenarios_end_as_they_are_told",
        [
            local(
                "draft.rs",
                ".and_then(|()| self.fs.flush(&draft.file))",
                ".map(|()| drop(self.fs.flush(&draft.file)))",
            )
        ],
    ),
    Fault(
        "r3-swept",
        "R3 P16",
        "a draft that was swept away is called published",
        "proof holes::h12_a_draft_that_was_swept_away_was_not_published",
        [local("draft.rs", "0 if draft.path.is_some() => Ok(Named::Swept),", "0 if draft.path.is_some() => Ok(Named::Ours),")],
    ),
    Fault(
        "r3-link",
        "R3 P10",
        "a link to the slot that answers with an error is called another's",
        "proof crash_points::p9_p12_stage_and_deliver",
        [
            local(
                "draft.rs",
                "            (Some(target), _) => Ok(target.id == file),",
                "            (Some(target), answer) => Ok(target.id == file && answer.is_ok()),",
            )
        ],
    ),
    Fault(
        "r3-together",
        "R3 P10",
        "of several jobs one that failed is taken for settled",
        "proof together::what_fails_for_one_concerns_no_other",
        [local("together.rs", "cases.iter_mut().filter(|case| case.trouble.is_none()) {", "cases.iter_mut() {")],
    ),
    Fault(
        "r4-same-file",
        "R4",
        "a rename that did nothing is believed",
        "proof holes::h8_a_rename_onto_another_name_of_the_same_file_does_nothing",
        [
            local(
                "moves.rs",
                "            (Some(target), _) if target.id == source.id => {\n"
                "                self.flush_dir(parent(to))?;\n                self.remove(from)\n            }\n",
                "            (Some(target), Ok(())) if target.id == source.id => Ok(()),\n",
            ),
            local(
                "moves.rs",
                '            (_, Ok(())) => Err(Error::io("rename a file", from, ErrorKind::Interrupted.into())),',
                '            (None, Ok(())) | (Some(_), Ok(())) => Err(Error::io("rename a file", from, ErrorKind::Interrupted.into())),',
            ),
        ],
    ),
    Fault(
        "p7-check",
        "P7",
        "a claim that is settled is handled again",
        "contract claims::simulated_folder::a_settled_job_is_not_taken_again",
        [
            local(
                "claim.rs",
                "        if self.is_settled(name)? {\n            self.archive(room, name)?;\n            return Ok(Claimed::Settled);\n        }\n",
            )
        ],
    ),
    Fault(
        "p13-check",
        "P13 P7",
        "a claim of the dead that is settled goes back to the inbox",
        "proof rooms::p13_a_look_begins_nothing_that_is_decided",
        [
            local(
                "recover.rs",
                "            if self.is_settled(name)? {",
                "            if self.is_settled(name)? && name.attempt == 0 {",
            )
        ],
    ),
    Fault(
        "p8-staged",
        "P8 P13",
        "a job whose outcome is staged is handed back",
        "proof rooms::p8_a_job_whose_outcome_is_staged_stays",
        [
            local(
                "claim.rs",
                "        if self.names(&dir)?.iter().any(staged) {",
                "        if self.names(&dir)?.iter().filter(|_| false).any(staged) {",
            )
        ],
    ),
    Fault(
        "p11-whose",
        "P11",
        "a claim is archived by its consumer's own outcome, not by the one in the slot",
        "proof rooms::p11_by_the_outcome_in_the_slot",
        [
            local(
                "together.rs",
                "            false => self.archive(room, case.job()),\n",
                "            false => self.bury(room, case.job(), self.layout.grave(case.outcome)),\n",
            )
        ],
    ),
    Fault(
        "p20-believed",
        "P20",
        "whoever finds an id taken takes it for submitted",
        "proof policies::p20_given_again_after_a_crash",
        [
            local(
                "ledger.rs",
                "            return self.vouch_for_given(id).map_err(uncertain);\n",
                "            return Ok(Some(Submitted::Before));\n",
            )
        ],
    ),
    Fault(
        "p20-minted",
        "P20",
        "a UUIDv7 that is given is not looked for before its entry",
        "contract policies::simulated_folder::a_minted_id_may_be_given_again",
        [
            local(
                "ledger.rs",
                "            if look_first {",
                "            if look_first && id.minted_at().is_none() {",
            )
        ],
    ),
    Fault(
        "p21-id",
        "P21",
        "a redriven job has an id that nothing follows from",
        "proof policies::p21_redrive",
        [
            local(
                "dead.rs",
                "        let (id, submitted) = successor(letter, &outcome).ok_or_else(no_uuid)?;\n",
                "        let _ = no_uuid;\n        let (id, submitted) = self.host.mint();\n",
            )
        ],
    ),
]
