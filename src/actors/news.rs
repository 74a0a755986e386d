//! What is told of recoveries: what each did, and what does not work or lies there, once, as long as that is so.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::actors::observer::{Event, Observer, tell};
use crate::ports::Takeover;

/// What was told already of what the last recovery found.
#[derive(Default)]
pub(super) struct News {
    troubles: HashSet<String>,
    strangers: HashSet<PathBuf>,
}

impl News {
    /// Tells what is new.
    pub(super) fn tell(&mut self, observer: &dyn Observer, takeover: &Takeover) {
        let troubles: Vec<_> =
            takeover.troubles.iter().filter(|trouble| !self.troubles.contains(*trouble)).cloned().collect();
        let strangers: Vec<_> =
            takeover.strangers.iter().filter(|path| !self.strangers.contains(*path)).cloned().collect();
        // What is over is news when it begins again.
        self.troubles = takeover.troubles.iter().cloned().collect();
        self.strangers = takeover.strangers.iter().cloned().collect();
        if takeover.done() > 0 || !troubles.is_empty() || !strangers.is_empty() {
            tell(observer, &Event::Recovered(&Takeover { troubles, strangers, ..takeover.clone() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<Takeover>>);

    impl Observer for Told {
        fn notice(&self, event: &Event<'_>) {
            if let Event::Recovered(takeover) = event {
                self.0.lock().unwrap().push((*takeover).clone());
            }
        }
    }

    #[test]
    fn trouble_is_told_when_it_begins() {
        let (told, mut news) = (Told::default(), News::default());
        let trouble = |names: &[&str]| Takeover {
            troubles: names.iter().map(|name| (*name).to_owned()).collect(),
            strangers: names.iter().map(PathBuf::from).collect(),
            ..Takeover::default()
        };
        let mut tell = |takeover: &Takeover| {
            news.tell(&told, takeover);
            std::mem::take(&mut *told.0.lock().unwrap())
        };
        assert_eq!(tell(&Takeover::default()), []);
        assert_eq!(tell(&trouble(&["a"])), [trouble(&["a"])]);
        assert_eq!(tell(&trouble(&["a"])), []);
        assert_eq!(tell(&trouble(&["a", "b"])), [trouble(&["b"])]);
        // What was done is news each time; what was told before is none beside it.
        let events = |takeover| Takeover { events: 2, ..takeover };
        assert_eq!(tell(&events(trouble(&["a", "b"]))), [events(Takeover::default())]);
        assert_eq!(tell(&trouble(&["b"])), []);
        assert_eq!(tell(&trouble(&["a", "b"])), [trouble(&["a"])]);
    }
}
