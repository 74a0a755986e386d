"""Who lives, whose attempt it is, and who looks again: leases, locks, fencing tokens, rescans."""

from fault import Fault, local

FAULTS = [
    Fault(
        "p4-lock",
        "P4",
        "a presence says that it is locked, and is not",
        "contract claims::simulated_folder::the_silent_lose_their_claims_after_their_lease",
        [
            local(
                "presence.rs",
                "if presence.lock && !self.fs.try_lock(&file).map_err(failed)? {",
                "if presence.lock && !self.fs.is_local() {",
            )
        ],
    ),
    Fault(
        "p4-inherited",
        "P4",
        "children inherit the presence's lock",
        "processes presence_lock_is_not_inherited",
        [
            (
                "src/adapters/fs/os.rs",
                "        self.made(OpenOptions::new().read(true).write(true).create_new(true).open(path)?)\n",
                "        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;\n"
                "        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;\n"
                "        self.made(file)\n",
            )
        ],
    ),
    Fault(
        "p5-beat",
        "P5",
        "a beat changes nothing",
        "contract claims::simulated_folder_shared_by_machines::the_silent_lose_their_claims_after_their_lease",
        [
            local(
                "presence.rs",
                "            beat,\n            settled,",
                "            beat: beat * 0,\n            settled,",
            )
        ],
    ),
    Fault(
        "p5-evicted",
        "P5",
        "whose room is gone is not told so",
        "contract a_consumer_without_its_room_is_evicted",
        [local("presence.rs", "Ok(if ours && housed {", "Ok(if ours || housed {")],
    ),
    Fault(
        "p10-elsewhere",
        "P10",
        "a job in hand is settled in another drop folder that lies where its own was",
        "surroundings removed::a_job_in_hand_is_not_settled_in_another_folder",
        [
            local("together.rs", "        self.is_from_here(case.claim)?;\n")
        ],
    ),
    Fault(
        "p13-early",
        "P13",
        "the silent are judged before their lease has run out",
        "proof rooms::p13_a_stopped_consumer_keeps_its_room",
        [
            local(
                "presence.rs",
                "        let left = lease.saturating_sub(",
                "        let left = (lease / 1000).saturating_sub(",
            )
        ],
    ),
    Fault(
        "p13-clocks",
        "P13",
        "the silent are judged by comparing clocks",
        "proof rooms::p13_a_clock_that_is_ahead_judges_nobody",
        [
            local(
                "presence.rs",
                "        let left = lease.saturating_sub(now.saturating_sub(sighting.since));",
                "        let silent = self.look(&path)?.map_or(Duration::MAX, |there| {\n"
                "            Duration::from_millis(self.host.now().get().saturating_sub(there.modified_ms))\n"
                "        });\n"
                "        let left = lease.saturating_sub(silent);",
            )
        ],
    ),
    Fault(
        "p13-stirred",
        "P13",
        "a presence that has changed is as old as when it was first seen",
        "contract claims::simulated_folder_shared_by_machines::the_silent_lose_their_claims_after_their_lease",
        [
            local(
                "presence.rs",
                "            *sighting = Sighting { stirred: true, ..fresh() };",
                "            *sighting = Sighting { stirred: true, since: sighting.since, ..fresh() };",
            )
        ],
    ),
    Fault(
        "p13-lockless",
        "P13",
        "a judge without its lock trusts the silence of a room that is locked, and removes it",
        "proof rooms::p13_a_stopped_consumer_keeps_its_room",
        [
            local(
                "recover.rs",
                "strangers || !(locked || self.is_lockless(room)?);",
                "strangers || !(locked || self.is_lockless(room).is_ok());",
            )
        ],
    ),
    Fault(
        "p13-fence",
        "P13",
        "a claim that was taken from the absent has the number of the attempt before",
        "contract claims::simulated_folder::the_silent_lose_their_claims_after_their_lease",
        [
            local(
                "recover.rs",
                "                self.relocate(&self.layout.claim(room, name), &self.layout.ready(&name.next_attempt()))?;\n"
                "                takeover.returned",
                "                self.relocate(&self.layout.claim(room, name), &self.layout.ready(name))?;\n"
                "                takeover.returned",
            )
        ],
    ),
    Fault(
        "p15-fence",
        "P15",
        "an outcome that was not taken goes back under the number that it had",
        "contract claims::simulated_folder::an_outcome_reaches_its_return_address",
        [local("collect.rs", "&name.next_attempt()", "name")],
    ),
    Fault(
        "p18-fence",
        "P18",
        "a repeated attempt has the number of the one before",
        "contract policies::local_folder::a_failed_attempt_is_repeated_later",
        [local("delay.rs", "claim.name.next_attempt().delayed(due)", "claim.name.delayed(due)")],
    ),
    Fault(
        "p19-due",
        "P19",
        "jobs come due before their time",
        "contract policies::simulated_folder::a_delayed_job_comes_due",
        [
            local(
                "delay.rs", "            if name.due <= now {", "            if name.due > now || name.due <= now {"
            )
        ],
    ),
    Fault(
        "p25-record",
        "P25",
        "an attempt is not recorded",
        "contract policies::simulated_folder::a_failed_attempt_is_repeated_later",
        [
            local(
                "delay.rs",
                "        if let Err(e) = self.record(&claim.name, attempt) {",
                "        if attempt.attempt == 0\n            && let Err(e) = self.record(&claim.name, attempt)\n        {",
            )
        ],
    ),
    Fault(
        "p27-attempts",
        "P27",
        "a job that takes its consumers with it is never given up",
        "policies a_job_whose_attempts_are_used_up_is_given_up",
        [("src/words/policy.rs", "(job.attempt > most).then(", "(job.attempt > u32::MAX - most).then(")],
    ),
    Fault(
        "p27-expiry",
        "P27",
        "a job that has expired is handled",
        "policies what_expires_first_is_not_attempted_again",
        [
            (
                "src/words/policy.rs",
                "job.expires().filter(|expiry| *expiry <= now)",
                "job.expires().filter(|expiry| *expiry > now)",
            )
        ],
    ),
    Fault(
        "rescan",
        "",
        "the safety rescan never comes",
        "runtime waiting::rescan_finds_what_no_hint_told",
        [
            (
                "src/actors/consumer/keeper.rs",
                "if self.hears { self.rescan } else { self.floor.options.poll_interval }",
                "if self.hears { LAST_RESCAN * 1000 } else { self.floor.options.poll_interval }",
            )
        ],
    ),
    Fault(
        "passed-over",
        "P8",
        "a job whose output does not fit is the first of the inbox again",
        "runtime held_back::a_job_for_which_there_is_no_space_lets_the_others_go_first",
        [
            (
                "src/actors/consumer/passed_over.rs",
                "self.names.contains_key(name)\n    }",
                "name.attempt == 0\n    }",
            )
        ],
    ),
    Fault(
        "rescan-waiters",
        "",
        "the safety rescan of those who wait never comes",
        "runtime dispatching::a_lost_hint_costs_time_and_nothing_else",
        [
            (
                "src/actors/producer/dispatcher/listener.rs",
                "self.next_rescan = looked + pause;",
                "self.next_rescan = looked + pause * 1000;",
            ),
            (
                "src/actors/producer/dispatcher/listener.rs",
                "self.next_rescan = self.next_rescan.min(now + FIRST_RESCAN);",
                "",
            ),
        ],
    ),
]
