"""What travels with jobs, files of strangers, events, retention: flushes that are left out and steps in the wrong order."""

from fault import Fault, local

FAULTS = [
    Fault(
        "p23-file",
        "P23",
        "a file that is attached is not flushed",
        "proof travel::p23_attach",
        [
            local(
                "payload.rs",
                """        self.fs.flush(&file).map_err(|e| Error::io("flush a file", to, e))\n""",
                "        Ok(())\n",
            )
        ],
    ),
    Fault(
        "p23-folder",
        "P23",
        "the folder of attached files is not flushed",
        "proof travel::p23_attach",
        [local("payload.rs", "            self.flush_dir(&folder)\n        })", "            Ok(())\n        })")],
    ),
    Fault(
        "p23-payload",
        "P23",
        "files are attached and the flush of `payload/` is dropped",
        "proof travel::p23_attach",
        [local("payload.rs", """fill().and_then(|()| self.flush_dir(&self.layout.room("payload")));""", "fill();")],
    ),
    Fault(
        "p21-files",
        "P21",
        "what travels with a redriven job is in a folder that is not flushed",
        "proof travel::p21_redrive_with_files",
        [
            local(
                "payload.rs",
                "folders.iter().rev().try_for_each(|folder| self.flush_dir(folder))",
                "Ok(drop(folders))",
            )
        ],
    ),
    Fault(
        "p24-file",
        "P24",
        "a file that a handler left is not flushed",
        "proof travel::p24_leave",
        [
            local(
                "workspace.rs",
                """        self.fs.flush(&file).map_err(|e| Error::io("flush what a handler wrote", path, e))?;\n""",
                "        drop(file);\n",
            )
        ],
    ),
    Fault(
        "p24-folder",
        "P24",
        "the folder of what a handler left is not flushed",
        "proof travel::p24_leave",
        [local("workspace.rs", "            self.flush_dir(folder)?;\n")],
    ),
    Fault(
        "p24-payload",
        "P24",
        "a handler left files and the flush of `payload/` is dropped",
        "proof travel::p24_leave",
        [local("workspace.rs", """            self.flush_dir(&self.layout.room("payload"))?;\n""")],
    ),
    Fault(
        "p16-age",
        "P16",
        "drafts are swept while their writers live",
        "proof crash_points::p5_p16_beat_and_sweep",
        [
            local(
                "sweep/litter.rs",
                "        if !self.is_old(since_ms, LITTER_AGE) {",
                "        if since_ms == 0 || LITTER_AGE.is_zero() {",
            )
        ],
    ),
    Fault(
        "p26-living",
        "P26",
        "a slot goes while a power cut may bring its job back",
        "proof retention::given::p26_the_draft_of_a_job_that_is_done",
        [
            local(
                "sweep/living.rs",
                "            for folder in &folders {\n                store.flush_dir_if_there(folder)?;\n            }\n",
            )
        ],
    ),
    Fault(
        "p26-rooms",
        "P26",
        "a slot goes while a power cut may bring back a room with its job",
        "proof retention::sweepers::p26_a_room_that_is_gone_does_not_come_back",
        [
            local(
                "sweep/living.rs",
                "            for folder in &claimed {\n                store.flush_dir_if_there(folder)?;\n            }\n",
            )
        ],
    ),
    Fault(
        "p26-slot",
        "P26",
        "an entry goes while a power cut may bring its slot back",
        "proof retention::given::p26_given_again_on_the_same_day",
        [local("sweep/entries.rs", "                self.store.flush_absence(day)?;\n")],
    ),
    Fault(
        "p26-draft",
        "P26",
        "a job of a given id goes while a power cut may bring its draft back",
        "proof retention::given::p26_the_draft_of_a_job_that_is_done",
        [
            local(
                "sweep/days.rs",
                "                self.store.flush_dir_if_there(&shelf)?;\n",
                "                let _ = shelf;\n",
            )
        ],
    ),
    Fault(
        "p26-look-again",
        "P26",
        "what nobody seemed to refer to is removed without a second look",
        "proof orphans::p26_a_submission_that_takes_a_day_is_swept",
        [
            local(
                "sweep/payloads.rs",
                "        if !unknown && self.store.bring_back(orphan)? {",
                "        if !unknown && orphan.nonce == 0 && self.store.bring_back(orphan)? {",
            )
        ],
    ),
    Fault(
        "p23-look",
        "P23",
        "a submission is acknowledged without a look at what travels",
        "proof orphans::p26_a_submission_that_takes_a_day_is_swept",
        [
            (
                "src/actors/producer/publish.rs",
                "        self.look_after(&ids, &submitted)?;\n",
                "        let _ = self.look_after(&ids, &submitted);\n",
            )
        ],
    ),
    Fault(
        "p28-room",
        "P28",
        "a file is moved to a folder that is not durable",
        "proof strangers::p28_p29_a_dropped_file_becomes_a_job",
        [
            local(
                "admission.rs",
                "        if let Err(e) = self.flush_dir(&self.layout.claims(room)) {",
                "        if let Err(e) = self.look(&self.layout.claims(room)) {",
            )
        ],
    ),
    Fault(
        "p28-inbox",
        "P28",
        "the folder of a file that went back is removed before that is durable",
        "proof strangers::p28_put_back",
        [
            local(
                "admission.rs",
                """        self.flush_dir(&self.layout.room("inbox"))?;\n        self.remove_folder(folder)\n""",
                "        self.remove_folder(folder)\n",
            )
        ],
    ),
    Fault(
        "p28-note",
        "P28",
        "a file that goes back leaves no note",
        "arrival returns::that_we_put_it_back_is_no_evidence",
        [
            local(
                "admission.rs",
                "            self.note_return(&from, &is_as_judged);\n",
                "            let _ = &is_as_judged;\n",
            )
        ],
    ),
    Fault(
        "p29-file",
        "P29",
        "a job's file is not flushed",
        "proof strangers::p29_a_file_that_nobody_has_flushed",
        [
            local(
                "admission.rs",
                """                self.fs.flush(&file).map_err(|e| Error::io("flush a file that was dropped", path, e))\n""",
                "                Ok(drop(file))\n",
            )
        ],
    ),
    Fault(
        "p29-payload",
        "P29",
        "a job's file is moved to a folder that is not durable",
        "proof strangers::p28_p29_a_dropped_file_becomes_a_job",
        [
            local(
                "admission.rs",
                """        // As above.\n        self.flush_dir(&self.layout.room("payload"))?;\n""",
            )
        ],
    ),
    Fault(
        "p29-folder",
        "P29",
        "a job is submitted before its file's new name is durable",
        "proof strangers::p28_p29_a_dropped_file_becomes_a_job",
        [local("admission.rs", "        self.flush_dir_if_there(&payload)?;\n")],
    ),
    Fault(
        "p29-inbox",
        "P29",
        "where ids do not follow from files, a file's old name may come back beside its job",
        "proof strangers::p28_p29_a_dropped_file_becomes_a_job",
        [
            local(
                "admission.rs",
                "            self.flush_dir(&inbox)?;\n        }\n        let envelope",
                "        }\n        let envelope",
            )
        ],
    ),
    Fault(
        "p29-last-trace",
        "P29",
        "a late owner removes the last trace of a file that another admits",
        "proof strangers::p29_two_admit_one_file",
        [
            local(
                "admission.rs",
                "            true => self.admit_one(room, stamp).map(drop),\n",
                "            true => self.put_away(&self.layout.taken(room, stamp)),\n",
            )
        ],
    ),
    Fault(
        "p30-folder",
        "P30",
        "an intake takes files to a folder that is not durable",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [
            local(
                "foreign/take.rs",
                "        self.home.flush_dir(self.home.layout.root())?;\n        let planned",
                "        let planned",
            )
        ],
    ),
    Fault(
        "p30-place",
        "P30",
        "an intake's plan is there while a power cut may bring back the files' old names",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [
            local(
                "foreign/take.rs",
                "        self.home.flush_dir(taken)?;\n        self.home.flush_dir(place)?;\n",
                "        self.home.flush_dir(taken)?;\n",
            )
        ],
    ),
    Fault(
        "p30-plan",
        "P30",
        "files are carried on while their plan may vanish",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [
            local(
                "foreign/take.rs",
                "            self.home.flush_dir(self.home.layout.root())?;\n            Ok(Some(consignment))",
                "            Ok(Some(consignment))",
            )
        ],
    ),
    Fault(
        "p31-envelope",
        "P31",
        "a folder is carried before the envelope in it is durable",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [local("foreign/carry.rs", "        self.home.flush_dir(&from)?;\n        let to", "        let to")],
    ),
    Fault(
        "p31-envelope-order",
        "P31",
        "a folder is carried before the envelope is in it",
        "proof intake::p31_frozen_and_taken_for_dead",
        [
            local(
                "foreign/carry.rs",
                "        self.home.publish(&envelope, &from.join(stamp.taken_draft()))?;\n        self.open_to_group",
                "        self.open_to_group",
            ),
            local(
                "foreign/carry.rs",
                "            (Some(_), _) => {}\n",
                "            (Some(_), _) => drop.publish(&envelope, &to.join(stamp.taken_draft()))?,\n",
            ),
        ],
    ),
    Fault(
        "p31-room",
        "P31",
        "what was carried is admitted while the room may lose it",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [local("foreign/carry.rs", "        drop.flush_dir(&drop.layout.claims(room))?;\n")],
    ),
    Fault(
        "p31-home",
        "P31",
        "what was carried is admitted while its old place may get it back",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [
            local(
                "foreign/carry.rs",
                "        self.home.flush_dir(self.home.layout.root())?;\n        Ok(Some(stamp))",
                "        Ok(Some(stamp))",
            )
        ],
    ),
    Fault(
        "p32-spent",
        "P32",
        "a plan goes while a power cut may bring back what was copied",
        "proof intake::p30_p31_p32_stopped_at_every_call",
        [
            local(
                "foreign/carry.rs",
                "            self.home.flush_dir(self.home.layout.root())?;\n        }\n",
                "        }\n",
            )
        ],
    ),
    Fault(
        "p33-group",
        "P33",
        "a subscription is acknowledged before it is durable",
        "proof events::p33_subscribe",
        [
            local(
                "exchange/groups.rs",
                "                self.flush_dir_if_there(folder.root())?;\n",
                "                if now.is_none() {\n                    self.flush_dir_if_there(folder.root())?;\n                }\n",
            )
        ],
    ),
    Fault(
        "p34-group",
        "P34",
        "that a group unsubscribed is acknowledged before it is durable",
        "proof events::p34_unsubscribe",
        [
            local(
                "exchange/groups.rs",
                "                self.flush_dir_if_there(folder.root())?;\n",
                "                if now.is_some() {\n                    self.flush_dir_if_there(folder.root())?;\n                }\n",
            )
        ],
    ),
    Fault(
        "p34-lock",
        "P34",
        "two change what a group asks for, and neither locks it",
        "proof groups::p34_two_change_one_subscription",
        [
            local(
                "exchange/groups.rs",
                "if self.fs.is_local() && !self.holds(&file, &path)? => continue,",
                "if self.fs.is_local() && self.fs.stat_open(&file).is_err() => continue,",
            )
        ],
    ),
    Fault(
        "p35-outbox",
        "P35",
        "an event is published in a folder that is not durable",
        "proof events::p35_p36_p37_publish",
        [local("exchange/stage.rs", """        self.flush_dir(&outbox.room("inbox"))?;\n""")],
    ),
    Fault(
        "p35-links",
        "P35",
        "an event is published before it is durable who gets it",
        "proof events::p35_p36_p37_publish",
        [
            local(
                "exchange/stage.rs",
                "            self.link_if_free(draft, file.id, &folder.join(name.to_string()))?;\n        }\n        self.flush_dir(folder)",
                "            self.link_if_free(draft, file.id, &folder.join(name.to_string()))?;\n        }\n        Ok(())",
            )
        ],
    ),
    Fault(
        "p35-event",
        "P35",
        "an event is acknowledged before it is durable",
        "proof events::p35_p36_p37_publish",
        [
            local(
                "exchange/stage.rs",
                "        match self.flush_dir(&event.folder) {",
                "        match self.look(&event.folder).map(drop) {",
            )
        ],
    ),
    Fault(
        "p36-event",
        "P36",
        "an event is delivered to some before it is durable",
        "proof events::p36_helped_on_and_cut_off",
        [
            local(
                "exchange/deliver.rs",
                "            self.flush_dir_if_there(&folder)?;\n        }\n        self.deliver_event",
                "        }\n        self.deliver_event",
            )
        ],
    ),
    Fault(
        "p37-links",
        "P37",
        "an event is forgotten while a power cut may undo a delivery",
        "proof events::p35_p36_p37_publish",
        [
            local(
                "exchange/deliver.rs",
                "            self.flush_dir_if_there(&folder)?;\n            // What a network",
                "            // What a network",
            )
        ],
    ),
]
