//! Compares the books with the folder.

use std::collections::BTreeMap;
use std::path::Path;

use filedrop::{Topic, TopicPattern};

use crate::books::Books;
use crate::files::{Files, names};
use crate::work::say;
use crate::{ADDRESS, Fallible, GROUPS};

/// What is compared, and what is wrong.
struct Audit<'a> {
    books: &'a Books,
    /// `.` is the drop folder itself; the others are groups, and those that have no name of a group: `replies`, `outbox`.
    places: BTreeMap<&'a str, Files>,
    faults: Vec<String>,
}

pub(crate) fn run(root: &Path, books: &Path, at_rest: bool) -> Fallible<()> {
    let books = Books::read(books)?;
    let mut audit = Audit { books: &books, places: BTreeMap::new(), faults: books.contradictions.clone() };
    if root.join("filedrop.json").exists() {
        audit.read(root)?;
        audit.jobs();
        audit.outcomes();
        audit.events(root)?;
        if at_rest {
            audit.rest()?;
        }
    } else if books.lines > 0 {
        audit.faults.push("lost: the drop folder".to_owned());
    }
    for (place, files) in &audit.places {
        audit.faults.extend(files.faults.iter().map(|fault| format!("half: {place}: {fault}")));
    }
    for fault in &audit.faults {
        say(&format!("! {fault}"));
    }
    let count = |of: &dyn Fn(&Files) -> usize| audit.places.values().map(of).sum::<usize>();
    say(&format!(
        "= {} acknowledgements, {} jobs open, {} outcomes, {} faults",
        books.lines,
        count(&|files| files.open.len()),
        count(&|files| files.outcomes.len()),
        audit.faults.len()
    ));
    Ok(())
}

impl<'a> Audit<'a> {
    fn read(&mut self, root: &Path) -> Fallible<()> {
        self.places.insert(".", Files::read(root)?);
        for (place, folder) in
            [("replies", root.join("replies").join(ADDRESS)), ("outbox", root.join("outbox"))]
        {
            // An address is made when it is first needed.
            self.places.insert(place, if folder.exists() { Files::read(&folder)? } else { Files::default() });
        }
        for (group, _) in GROUPS {
            let folder = root.join("subscribers").join(group);
            if folder.join("subscription.json").exists() {
                self.places.insert(group, Files::read(&folder)?);
            } else if self.books.subscribed.contains(group) {
                self.faults.push(format!("lost: the subscription of {group}"));
            }
        }
        Ok(())
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Every job is open, as it was submitted, or finished: those that are bad have failed, and no others.
    fn jobs(&mut self) {
        let here = &self.places["."];
        let mut faults = Vec::new();
        for (id, (sum, kind)) in &self.books.submitted {
            let answers = here.outcomes.get(id).map(|slots| slots[0].answers.as_ref());
            match (answers, here.open.get(id)) {
                (None, None) => faults.push(format!("lost: job {id}")),
                (Some(answers), _) if answers.is_none() != (kind == "bad") => {
                    faults.push(format!("wrong: job {id} is {kind}, and its outcome is not"));
                }
                (Some(Some(there)), _) | (None, Some(there)) if there != sum => {
                    faults.push(format!("wrong: job {id} is another one"));
                }
                _ => {}
            }
        }
        self.faults.extend(faults);
    }

    /// One of each job, the one that was told, and the one that is delivered; what is archived has one.
    fn outcomes(&mut self) {
        let mut faults = Vec::new();
        for (place, files) in &self.places {
            for (id, slots) in &files.outcomes {
                if slots.len() != 1 {
                    faults.push(format!("twice: {id} has {} outcomes in {place}", slots.len()));
                }
                // Whatever is seen once, on a disk that was recovered, is the outcome for ever.
                match self.books.told.get(&((*place).to_owned(), id.clone())) {
                    None => say(&format!("@ told {place} {id} {}", slots[0].sum)),
                    Some(sum) if *sum == slots[0].sum => {}
                    Some(_) => {
                        faults.push(format!("twice: {id} has another outcome in {place} than was told"))
                    }
                }
            }
            let decides = !["replies", "outbox"].contains(place);
            for id in files.archived.keys().filter(|id| decides && !files.outcomes.contains_key(*id)) {
                faults.push(format!("lost: the outcome of {id}, which is archived in {place}"));
            }
        }
        let (slots, replies) = (&self.places["."].outcomes, &self.places["replies"]);
        let collected = replies.outcomes.iter().map(|(id, told)| (id, &told[0]));
        for (id, told) in collected.chain(&replies.delivered) {
            if slots.get(id).is_none_or(|slots| slots[0] != *told) {
                faults.push(format!("twice: another outcome of {id} was delivered than the one that counts"));
            }
        }
        let told = self.books.told.keys().chain(&self.books.settled);
        for (place, id) in told {
            if self.places.get(place.as_str()).is_none_or(|files| !files.outcomes.contains_key(id)) {
                faults.push(format!("lost: the outcome of {id} in {place}, which was told"));
            }
        }
        for id in self.books.taken.iter().filter(|id| !replies.outcomes.contains_key(*id)) {
            faults.push(format!("lost: the outcome of {id}, which was collected"));
        }
        self.faults.extend(faults);
    }

    /// Each event is with each group that asked for it, or on its way there, and once.
    fn events(&mut self, root: &Path) -> Fallible<()> {
        let books = self.books;
        for (id, (sum, topic)) in &books.published {
            let topic: Topic = topic.parse()?;
            for (group, pattern) in GROUPS {
                let Some(files) = self.places.get(group) else { continue };
                let coming = self.places["outbox"].on_their_way.get(id).filter(|(_, to)| to.contains(group));
                let there = files
                    .outcomes
                    .get(id)
                    .map(|slots| slots[0].answers.as_ref())
                    .or_else(|| files.open.get(id).map(Some))
                    .or_else(|| coming.map(|(sum, _)| Some(sum)));
                let wanted = pattern.parse::<TopicPattern>()?.matches(&topic);
                match there {
                    None if wanted => self.fault(format!("lost: event {id} for {group}")),
                    Some(_) if !wanted => {
                        self.fault(format!("wrong: {group} got event {id}, which it did not ask for"))
                    }
                    Some(other) if other != Some(sum) => {
                        self.fault(format!("wrong: event {id} is another one for {group}"))
                    }
                    _ => {}
                }
            }
        }
        // No row of the protocol makes any other.
        let known: Vec<&str> = GROUPS.iter().map(|(group, _)| *group).collect();
        for name in names(&root.join("subscribers"))? {
            if !known.contains(&name.as_str()) {
                self.fault(format!("wrong: {name} is no group"));
            }
        }
        Ok(())
    }

    /// After a drain: nothing is open; whatever was asked for is decided, archived once, and delivered.
    fn rest(&mut self) -> Fallible<()> {
        let mut faults = Vec::new();
        for (place, files) in &self.places {
            faults.extend(files.open.keys().map(|id| format!("left: {id} in {place} was not handled")));
            faults.extend(files.delivered.keys().map(|id| format!("left: {id} was not collected")));
            faults.extend(files.on_their_way.keys().map(|id| format!("left: event {id} was not delivered")));
            for (id, there) in &files.archived {
                if there.len() != 1 {
                    faults.push(format!("twice: {id} is archived {} times in {place}", there.len()));
                }
            }
        }
        let here = &self.places["."];
        for id in self.books.submitted.keys() {
            if !here.outcomes.contains_key(id) || !here.archived.contains_key(id) {
                faults.push(format!("left: job {id} is not finished"));
            }
        }
        for (id, (_, topic)) in &self.books.published {
            let topic: Topic = topic.parse()?;
            for (group, pattern) in GROUPS {
                let wanted = pattern.parse::<TopicPattern>()?.matches(&topic);
                let files = self.places.get(group);
                if wanted
                    && files.is_none_or(|files| {
                        !files.outcomes.contains_key(id) || !files.archived.contains_key(id)
                    })
                {
                    faults.push(format!("left: event {id} is not finished by {group}"));
                }
            }
        }
        self.faults.extend(faults);
        Ok(())
    }
}
