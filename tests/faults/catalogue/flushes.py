"""Flushes that are left out: of jobs, outcomes, rooms and given ids (R1, R5, R6).

Some are not here, because nothing shows that they are gone. Where a rename never loses both names, which PROTOCOL.md takes for
granted, the flush of the old folder says it all; so no search misses that of the new one before it (P8, P12, P13, P18, P30).
Whoever finds a staged name gone, or one name of a file too many, looks at what another has flushed (P10, R4); and who gives an
id that is taken flushes the inbox once more (P20).
"""

from fault import Fault, local

FAULTS = [
    Fault(
        "p1-rooms",
        "P1",
        "`filedrop.json` is there before the rooms are durable",
        "proof init::p1_init",
        [local("init.rs", "        self.flush_dir(layout.root())?;\n        let keep =", "        let keep =")],
    ),
    Fault(
        "p1-marker",
        "P1",
        "`filedrop.json` itself is not flushed",
        "proof init::p1_init",
        [
            local(
                "init.rs",
                "self.why_no_link(e, layout))?;\n        self.flush_dir(layout.root())",
                "self.why_no_link(e, layout)).map(drop)",
            )
        ],
    ),
    Fault(
        "r6-parents",
        "R6",
        "a new folder is used before its name is durable",
        "proof crash_points::p4_to_p11_claim_handle_settle",
        [
            local(
                "moves.rs",
                "        self.flush_dir(parent(dir))?;\n        if let Some(there)",
                "        if let Some(there)",
            )
        ],
    ),
    Fault(
        "p2-file",
        "P2 R1",
        "a file gets its name without having been flushed",
        "proof crash_points::p9_p12_stage_and_deliver",
        [
            local(
                "draft.rs",
                "self.fs.write(&draft.file, bytes).and_then(|()| self.fs.flush(&draft.file))",
                "self.fs.write(&draft.file, bytes)",
            )
        ],
    ),
    Fault(
        "p3-inbox",
        "P3",
        "the flush of `inbox/` is dropped at submit",
        "proof crash_points::p2_p3_submit",
        [local("submit.rs", """[("inbox", false), ("delayed", true)]""", """[("delayed", true)]""")],
    ),
    Fault(
        "p3-delayed",
        "P3",
        "a job is submitted for later and the flush of `delayed/` is dropped",
        "proof policies::p3_p19_delay_and_come_due",
        [local("submit.rs", """[("inbox", false), ("delayed", true)]""", """[("inbox", false)]""")],
    ),
    Fault(
        "p4-room",
        "P4",
        "claims go into a room that is not durable",
        "proof crash_points::p4_to_p11_claim_handle_settle",
        [
            local(
                "presence.rs",
                "            self.ensure_dir(&self.layout.claims(&name))",
                "            self.fs.make_dir(&self.layout.claims(&name)).map_err(failed)",
            )
        ],
    ),
    Fault(
        "p7-slot",
        "P7 R5",
        "a claim is archived for a slot that may not be durable",
        "proof races::zombie_resumes_at_every_step_without_return_address",
        [
            local(
                "claim.rs",
                "            self.flush_dir(&dir)?;\n        }\n        Ok(settled)",
                "            let _ = dir;\n        }\n        Ok(settled)",
            )
        ],
    ),
    Fault(
        "p8-room",
        "P8",
        "a job is handed back, and a power cut may bring its claim back",
        "proof durable::p8_what_was_handed_back",
        [
            local(
                "claim.rs",
                """        self.flush_dir(&self.layout.room("inbox"))?;\n        self.flush_dir(&self.layout.claims(room))""",
                """        self.flush_dir(&self.layout.room("inbox"))""",
            )
        ],
    ),
    Fault(
        "p9-room",
        "P9",
        "an outcome is decided while its staged name may vanish",
        "proof crash_points::p9_p12_stage_and_deliver",
        [
            local(
                "together.rs",
                "        flush_for_each(cases, |case| case.is_staged().then(|| claims.clone()), flush);\n",
            )
        ],
    ),
    Fault(
        "p10-slot",
        "P10",
        "a claim is archived before its slot is durable",
        "proof crash_points::p4_to_p11_claim_handle_settle",
        [
            local(
                "together.rs",
                "        flush_for_each(cases, |case| case.is_decided().then(|| self.layout.slot_day(case.job())), flush);\n",
            )
        ],
    ),
    Fault(
        "p11-reason",
        "P11",
        "a job is buried before its reason is durable",
        "proof crash_points::p11_bury",
        [local("together.rs", "        flush_for_each(cases, grave, flush);\n")],
    ),
    Fault(
        "p12-room",
        "P12",
        "an outcome is delivered, and a power cut may stage it again",
        "proof durable::p12_what_was_delivered",
        [
            local(
                "together.rs",
                "            |room| self.flush_dir_if_there(room),\n",
                "            |_| Ok(()),\n",
            )
        ],
    ),
    Fault(
        "p2-together",
        "P2 R1",
        "of several files that are written together none is flushed before it has its name",
        "proof together::p10_p11_several",
        [
            local(
                "draft.rs",
                "        let mut flushed = self.fs.flush_all(&files).into_iter();\n",
                "        let mut flushed = files.iter().map(|_| Ok::<_, io::Error>(()));\n",
            )
        ],
    ),
    Fault(
        "p10-folders",
        "P10 R5",
        "of several folders of slots one is flushed",
        "proof together::p10_p11_of_two_days",
        [
            local(
                "together.rs",
                "answers.entry(folder).or_insert_with_key(|folder: &PathBuf| flush(folder));",
                "answers.entry(PathBuf::new()).or_insert_with(|| flush(&folder));",
            )
        ],
    ),
    Fault(
        "p10-failed-flush",
        "P10 R5",
        "that a folder of slots was not flushed is told to one of those who rely on it",
        "proof together::p10_p11_several",
        [
            local(
                "together.rs",
                "        let answer: &Result<()> =",
                "        let answer: &mut Result<()> =",
            ),
            local(
                "together.rs",
                "        answer.as_ref().copied().map_err(Error::again)\n",
                "        std::mem::replace(answer, Ok(()))\n",
            ),
        ],
    ),
    Fault(
        "p13-room-first",
        "P13 R5",
        "a recoverer decides with an outcome whose staged name may vanish",
        "proof races::zombie_resumes_at_every_step_with_return_address",
        [
            local(
                "recover.rs",
                "        self.flush_dir_if_there(&dir)?;\n        for left in left",
                "        for left in left",
            )
        ],
    ),
    Fault(
        "p13-room-last",
        "P13 P17",
        "a recoverer removes a room that a power cut may fill again",
        "proof rooms::p13_a_recovery_is_stopped_at_every_call",
        [
            local(
                "recover.rs",
                "        self.flush_dir_if_there(&dir)?;\n        if stays {",
                "        if stays {",
            )
        ],
    ),
    Fault(
        "p14-slot",
        "P14 R5",
        "outcomes are told before they are durable",
        "proof holes::h6_an_outcome_is_seen_before_it_is_durable",
        [
            local(
                "report.rs",
                "if read.is_empty() { Ok(()) } else { self.flush_dir(day) }",
                "if read.is_empty() { Ok(()) } else { self.look(day).map(drop) }",
            )
        ],
    ),
    Fault(
        "p15-archive",
        "P15",
        "a delivered outcome goes before the archive remembers it",
        "proof crash_points::p15_collect",
        [local("collect.rs", "        self.flush_dir(&day)?;\n")],
    ),
    Fault(
        "p15-room",
        "P15",
        "a collection is acknowledged before its claim is gone for good",
        "proof durable::p15_what_was_collected",
        [
            local(
                "collect.rs",
                "        self.flush_dir(&self.layout.claims(room))?;\n        Ok(first)",
                "        Ok(first)",
            )
        ],
    ),
    Fault(
        "p15-back",
        "P15",
        "an outcome that was not taken goes back and the flush of `inbox/` is dropped",
        "proof durable::p15_what_was_not_taken",
        [local("collect.rs", """        self.flush_dir(&self.layout.room("inbox"))?;\n""")],
    ),
    Fault(
        "p17-room",
        "P17",
        "a consumer that leaves removes a room that a power cut may fill again",
        "proof crash_points::p17_leave",
        [
            local(
                "presence.rs",
                "        self.flush_dir_if_there(&dir)?;\n        if let Err(e) = self.fs.remove_dir(&dir)",
                "        if let Err(e) = self.fs.remove_dir(&dir)",
            )
        ],
    ),
    Fault(
        "p18-room",
        "P18",
        "a failed attempt is put off, and a power cut may bring its claim back",
        "proof durable::p18_what_was_put_off",
        [
            local(
                "delay.rs",
                """room("delayed"))?;\n        self.flush_dir_if_there(&self.layout.claims(room))""",
                """room("delayed"))""",
            )
        ],
    ),
    Fault(
        "p20-entry",
        "P20",
        "the entry of a given id is not flushed before its job is published",
        "proof policies::p20_given_again_after_a_crash",
        [local("ledger.rs", "            self.flush_dir(&shelf)?;\n            if !ours", "            if !ours")],
    ),
    Fault(
        "p20-entry-of-others",
        "P20 R5",
        "whoever finds a given id taken relies on an entry that may vanish",
        "proof policies::p20_given_by_two_and_again_after_a_crash",
        [
            local(
                "ledger.rs",
                "        self.flush_dir(&shelf)?;\n        let Some((file, envelope))",
                "        let Some((file, envelope))",
            )
        ],
    ),
    Fault(
        "p21-inbox",
        "P21",
        "a dead letter is archived before its new job is durable",
        "proof policies::p21_redrive",
        [
            local(
                "dead.rs",
                """        submitted?;\n        self.flush_dir(&self.layout.room("inbox"))?;\n""",
                "        submitted?;\n",
            )
        ],
    ),
    Fault(
        "p21-dead",
        "P21",
        "a redriven letter may come back to `dead/`",
        "proof policies::p21_redrive",
        [local("dead.rs", """        self.flush_dir(&self.layout.room("dead"))?;\n""")],
    ),
    Fault(
        "p22-place",
        "P22",
        "what is put back goes from the inbox before its place is durable",
        "proof policies::p22_put_back",
        [local("misplaced.rs", "                self.flush_dir(parent(place))?;\n")],
    ),
]
