//! What the commands of a scenario do. `fixtures/README.md` has the list of them.

use std::collections::BTreeMap;

use filedrop::adapters::fs::sim::{Actor, Fate, Lie, Model, World};

use super::names::Names;
use crate::audit;
use crate::events::{self, GROUPS};
use crate::ledger::Ledger;
use crate::operators;
use crate::programs::{self, GIVEN, Kind, Patience, Program};
use crate::search::{Search, prepared, with_address};

type Answer = Result<Vec<String>, String>;

pub(super) struct Stage {
    world: World,
    ledger: Ledger,
    actors: BTreeMap<String, (u32, Actor)>,
    /// Of all who ever were, dead or alive.
    pids: BTreeMap<u32, String>,
    names: Names,
}

impl Default for Stage {
    fn default() -> Self {
        let (world, ledger) = (World::new(Model::A, 1), Ledger::default());
        Self { world, ledger, actors: BTreeMap::new(), pids: BTreeMap::new(), names: Names::default() }
    }
}

/// How many calls are looked for.
const FAR: usize = 1000;

impl Stage {
    pub(super) fn does(&mut self, command: &str) -> Answer {
        let words: Vec<&str> = command.split(' ').collect();
        let before = self.world.trace().len();
        match words[..] {
            ["world", kind] => self.make(World::new(Model::A, 1), kind, &[])?,
            ["submitted", ref kinds @ ..] => {
                let kinds = kinds.iter().map(|kind| kind_of(kind)).collect::<Result<Vec<_>, _>>()?;
                let is_reply = kinds.contains(&Kind::Reply);
                let prepare = if is_reply { with_address } else { prepared };
                (self.world, self.ledger) = prepare(self.world.fork(), &kinds);
            }
            ["subscribed", group] => {
                Actor::start(&self.world, 9, events::subscribe(&self.ledger, group_of(group)?)).finish();
                self.world.flush_all();
                self.world.take_changes();
            }
            ["disk", "lies", "about", path] => {
                let path = Box::leak(path.to_owned().into_boxed_str());
                self.world = self.world.clone().lying(Some(Lie::FolderFlush(path)));
            }
            ["wait", span] => self.world.advance(millis(span)?),
            [name, "is", "a", ref role @ ..] => {
                let pid = 20 + self.pids.len() as u32;
                self.pids.insert(pid, name.to_owned());
                let program = program(name, role, &self.ledger)?;
                self.actors.insert(name.to_owned(), (pid, Actor::start(&self.world, pid, program)));
                return Ok(vec![self.next(name)]);
            }
            ["until", name, ref call @ ..] => return self.until(name, &call.join(" ")),
            ["step", name] => self.step(name, Fate::Proceed)?,
            ["steps", name, count] => {
                for _ in 0..count.parse::<usize>().map_err(|e| e.to_string())? {
                    self.step(name, Fate::Proceed)?;
                }
            }
            ["lose", "the", "answer", "of", name] => self.step(name, Fate::LoseAnswer)?,
            ["fail", name] => self.step(name, Fate::Fail)?,
            ["no", "space", "for", name] => self.step(name, Fate::NoSpace)?,
            ["finish", name] => {
                let (_, mut actor) = self.actors.remove(name).ok_or("nobody has that name")?;
                let calls = actor.finish();
                return Ok(self.checked(vec![format!("{calls} calls")]));
            }
            ["kill", name] => drop(self.actors.remove(name).ok_or("nobody has that name")?),
            ["cut"] => return self.cut(&[], &[]),
            ["cut", "keeping", keeping, "losing", losing] => return self.cut(&[keeping], &[losing]),
            ["show", part] => return Ok(self.show(part)),
            ["end"] => return Ok(self.end()),
            _ => return Err("there is no such command".to_owned()),
        }
        let lines = self.world.trace().split_off(before.min(self.world.trace().len()));
        let is_told = words[0] == "step" || words[0] == "steps" || words[0] == "lose" || words[0] == "fail";
        let told = if is_told || words[0] == "no" { self.readable(&lines) } else { Vec::new() };
        Ok(self.checked(told))
    }

    fn make(&mut self, world: World, kind: &str, kinds: &[Kind]) -> Result<(), String> {
        let world = match kind {
            "local" => world,
            "without-unnamed-files" => world.without_unnamed_files(),
            "shared" => world.shared_by_machines(),
            _ => return Err("a world is local, shared, or without-unnamed-files".to_owned()),
        };
        (self.world, self.ledger) = prepared(world.announcing(), kinds);
        Ok(())
    }

    fn step(&mut self, name: &str, fate: Fate) -> Result<(), String> {
        let (_, actor) = self.actors.get_mut(name).ok_or("nobody has that name")?;
        if actor.step(fate) { Ok(()) } else { Err(format!("{name} has ended")) }
    }

    /// Stops before the call.
    fn until(&mut self, name: &str, call: &str) -> Answer {
        for calls in 0..FAR {
            let next = self.next(name);
            if next.contains(call) {
                return Ok(self.checked(vec![format!("{calls} calls"), next]));
            }
            self.step(name, Fate::Proceed)?;
        }
        Err(format!("{name} makes no such call"))
    }

    fn next(&mut self, name: &str) -> String {
        let pid = self.actors.get(name).map(|(pid, _)| *pid).unwrap_or_default();
        let next = self.world.next_call(pid);
        let next = next.map(|next| self.readable(&[next]).remove(0));
        next.map_or_else(|| format!("{name} has ended"), |next| format!("next: {next}"))
    }

    /// Everybody dies. Of the disks that could be left, the first whose names are so; for the whole of the list it is said that
    /// there is none.
    fn cut(&mut self, keeping: &[&str], losing: &[&str]) -> Answer {
        let names = &mut self.names;
        let mut fits = |cut: &World| {
            let tree = cut.tree().into_iter().filter(|(_, data)| data.is_some());
            let paths: Vec<String> = tree.map(|(path, _)| names.readable(&path)).collect();
            let has = |part: &&str| paths.iter().any(|path| path.contains(*part));
            keeping.iter().all(has) && !losing.iter().any(has)
        };
        let cuts = self.world.after_power_cut();
        let count = cuts.len();
        let Some(cut) = cuts.into_iter().find(|cut| fits(cut)) else {
            return Ok(vec![format!("none of the {count} disks that could be left is so")]);
        };
        self.actors.clear();
        self.world = cut;
        audit::after_crash(&self.world, &self.ledger);
        Ok(self.checked(vec![format!("one of {count} disks that could be left")]))
    }

    fn show(&mut self, part: &str) -> Vec<String> {
        let tree = self.world.tree();
        let files = tree.into_iter().filter(|(path, data)| data.is_some() && path.contains(part));
        let files: Vec<String> =
            files.map(|(path, data)| path + &self.content(data.as_deref().unwrap_or_default())).collect();
        if files.is_empty() { vec!["nothing".to_owned()] } else { self.readable(&files) }
    }

    /// Whose outcome it is, and whether anything is in it.
    fn content(&self, data: &[u8]) -> String {
        let text = String::from_utf8_lossy(data);
        let by = text.rsplit_once(" by ").and_then(|(_, pid)| pid.split('"').next()?.parse::<u32>().ok());
        match by.and_then(|pid| self.pids.get(&pid)) {
            Some(name) => format!(" (by {name})"),
            None if data.is_empty() => " (empty)".to_owned(),
            None => String::new(),
        }
    }

    /// Whoever is left dies; others bring it to an end.
    fn end(&mut self) -> Vec<String> {
        self.actors.clear();
        let mut search = Search::with(crate::replay::rest, 0);
        search.conclude(&self.world, &self.ledger, 0);
        let said = self.checked(Vec::new());
        if said.is_empty() { vec!["nothing is wrong".to_owned()] } else { said }
    }

    /// With what went wrong.
    fn checked(&self, mut said: Vec<String>) -> Vec<String> {
        audit::names_that_changed(&self.world, &self.ledger);
        said.extend(self.ledger.facts().violations.into_iter().map(|wrong| format!("WRONG: {wrong}")));
        said
    }

    fn readable(&mut self, lines: &[String]) -> Vec<String> {
        let line = |line: &String| {
            let (pid, call) = line.split_once(' ').unwrap_or((line, ""));
            let name = pid.parse().ok().and_then(|pid: u32| self.pids.get(&pid));
            self.names.readable(&name.map_or_else(|| line.clone(), |name| format!("{name}: {call}")))
        };
        lines.iter().map(line).collect()
    }
}

fn kind_of(word: &str) -> Result<Kind, String> {
    match word {
        "plain" => Ok(Kind::Plain),
        "reply" => Ok(Kind::Reply),
        "failing" => Ok(Kind::Failing),
        "flaky" => Ok(Kind::Flaky),
        GIVEN => Ok(Kind::Given(5)),
        _ => Err(format!("there is no kind of job called {word}")),
    }
}

fn group_of(word: &str) -> Result<&'static str, String> {
    GROUPS.into_iter().find(|group| *group == word).ok_or_else(|| format!("the groups are {GROUPS:?}"))
}

fn program(name: &str, role: &[&str], ledger: &Ledger) -> Result<Program, String> {
    Ok(match role {
        ["producer", "of", kind] => programs::producer(ledger, &[kind_of(kind)?]),
        ["consumer"] => programs::consumer(ledger, leaked(name), Patience::Drain),
        ["patient", "consumer"] => programs::consumer(ledger, leaked(name), Patience::Endless),
        ["collector"] => programs::collector(ledger, Patience::Drain),
        ["waiter"] => programs::waiter(ledger),
        ["redriver"] => operators::redriver(ledger),
        ["sweeper"] => operators::sweeper(),
        ["publisher"] => events::publisher(ledger, false),
        ["helper"] => events::helper(),
        ["subscriber", "of", group] => events::subscriber(ledger, group_of(group)?, Patience::Drain),
        _ => return Err(format!("there is no role called {role:?}")),
    })
}

/// Names of consumers live as long as the program does.
fn leaked(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}

fn millis(span: &str) -> Result<u64, String> {
    let of = |unit: &str, millis: u64| Some(span.strip_suffix(unit)?.parse::<u64>().ok()? * millis);
    of("s", 1000).or_else(|| of("h", 3_600_000)).ok_or_else(|| "31s, or 25h".to_owned())
}
