//! What a file is called that is delivered to somebody else's folder: their pattern, filled in, and never a path.

use std::fmt;
use std::str::FromStr;

use super::{Id, NameError};

/// A name with placeholders, such as `{stem}-{date}.{ext}`.
///
/// ```
/// use filedrop::{NameFields, NamePattern};
///
/// let pattern: NamePattern = "{stem}-{date}.{ext}".parse().unwrap();
/// let id = "0198".parse().unwrap();
/// let fields = NameFields { subject: Some("in/orders.csv"), id: &id, name: None, date: "2026-11-23" };
/// assert_eq!(pattern.fill(&fields).to_string(), "in_orders-2026-11-23.csv");
/// assert_eq!(pattern.fill(&fields).nth(2), "in_orders-2026-11-23.2.csv");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Subject,
    Name,
    Stem,
    Ext,
    Id,
    Date,
}

const FIELDS: [(&str, Field); 6] = [
    ("subject", Field::Subject),
    ("name", Field::Name),
    ("stem", Field::Stem),
    ("ext", Field::Ext),
    ("id", Field::Id),
    ("date", Field::Date),
];

/// What placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub struct NameFields<'a> {
    /// `{subject}`: that of the job; without one its id.
    pub subject: Option<&'a str>,
    /// `{id}`: that of the job.
    pub id: &'a Id,
    /// `{name}`, and in two parts `{stem}` and `{ext}`: a file's own name; without one the subject.
    pub name: Option<&'a str>,
    /// `{date}`: a day, as `yyyy-mm-dd`.
    pub date: &'a str,
}

impl Default for NamePattern {
    /// `{name}`
    fn default() -> Self {
        Self(vec![Part::Field(Field::Name)])
    }
}

impl FromStr for NamePattern {
    type Err = NameError;

    fn from_str(pattern: &str) -> Result<Self, NameError> {
        let wrong = |what| NameError::new(pattern, what);
        if pattern.is_empty() || pattern.contains(['/', '\\']) || pattern.contains(char::is_control) {
            return Err(wrong("a name, not a path, with placeholders"));
        }
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some((text, after)) = rest.split_once('{') {
            parts.push(Part::Text(text.to_owned()));
            let known = after.split_once('}').and_then(|(name, after)| {
                let (_, field) = FIELDS.into_iter().find(|(known, _)| *known == name)?;
                Some((field, after))
            });
            let (field, after) = known.ok_or_else(|| {
                wrong("a name with the placeholders {subject} {name} {stem} {ext} {id} {date}")
            })?;
            parts.push(Part::Field(field));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }
}

impl NamePattern {
    /// The name that it makes. What no name can have in it becomes `_`, so that it lies in its folder, whatever the fields say.
    pub fn fill(&self, fields: &NameFields<'_>) -> PlainName {
        let subject = fields.subject.filter(|subject| !subject.is_empty()).unwrap_or(fields.id.as_str());
        let name = fields.name.unwrap_or(subject);
        let (stem, ext) = split(name);
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Field(Field::Subject) => subject,
            Part::Field(Field::Name) => name,
            Part::Field(Field::Stem) => stem,
            Part::Field(Field::Ext) => ext,
            Part::Field(Field::Id) => fields.id.as_str(),
            Part::Field(Field::Date) => fields.date,
        });
        PlainName::of(&parts.collect::<String>(), fields.id)
    }
}

/// A name that is one on every file system: no path, not hidden, at most 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainName(String);

/// Of the 255 bytes that file systems allow, the rest is for numbers and endings.
const LONGEST: usize = 200;
/// What is longer is no extension that is worth to be kept.
const LONGEST_EXT: usize = 20;

impl PlainName {
    fn of(text: &str, otherwise: &Id) -> Self {
        let plain = |c: char| if matches!(c, '/' | '\\') || c.is_control() { '_' } else { c };
        let mut name: String = text.chars().map(plain).collect();
        // Windows takes no such end from a name, and would make one name of two.
        name.truncate(name.trim_end_matches(['.', ' ']).len());
        if name.is_empty() {
            return Self(otherwise.to_string());
        }
        if name.starts_with('.') {
            name.replace_range(..1, "_");
        }
        Self(shorten(&name))
    }

    /// The `n`-th name of those that are alike: `x.csv`, `x.2.csv`, `x.3.csv` …
    pub fn nth(&self, n: u32) -> String {
        match (n, split(&self.0)) {
            (0 | 1, _) => self.0.clone(),
            (n, (stem, "")) => format!("{stem}.{n}"),
            (n, (stem, ext)) => format!("{stem}.{n}.{ext}"),
        }
    }

    /// The same with a further ending: `x.csv.failed.json`. At most 40 bytes.
    pub fn with(&self, ending: &str) -> Self {
        Self(format!("{}{ending}", self.0))
    }
}

impl fmt::Display for PlainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `a.b.csv` is `a.b` and `csv`; what has no dot inside has no extension.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, ext)) if !stem.is_empty() && !ext.is_empty() => (stem, ext),
        _ => (name, ""),
    }
}

fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, ext) = split(name);
    let (stem, ext) = if ext.len() > LONGEST_EXT { (name, "") } else { (stem, ext) };
    let most = LONGEST - ext.len() - 1;
    let end = (0..=most).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
    if ext.is_empty() { stem[..end].to_owned() } else { format!("{}.{ext}", &stem[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pattern: &str, subject: &str) -> String {
        let id: Id = "job-1".parse().expect("an id");
        let fields = NameFields { subject: Some(subject), id: &id, name: None, date: "2026-11-23" };
        pattern.parse::<NamePattern>().expect("a pattern").fill(&fields).to_string()
    }

    #[test]
    fn names_never_climb_out_or_hide() {
        for (subject, name) in [
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("..", "job-1"),
            (".", "job-1"),
            ("/", "_"),
            ("", "job-1"),
            (".profile", "_profile"),
            ("..\\x", "_._x"),
            ("a\nb\0c\u{1b}", "a_b_c_"),
            ("x. . ", "x"),
            ("é.csv", "é.csv"),
        ] {
            assert_eq!(fill("{subject}", subject), name, "{subject:?}");
        }
    }

    #[test]
    fn placeholders() {
        assert_eq!(fill("{id}-{stem}.{date}.{ext}", "a.b.csv"), "job-1-a.b.2026-11-23.csv");
        assert_eq!(fill("{stem}.{ext}", "plain"), "plain");
        assert_eq!(fill("{stem}|{ext}", ".hidden"), "_hidden|");
        for wrong in ["", "a/b", "..\\{id}", "{", "{nobody}", "{id", "a\nb"] {
            assert!(wrong.parse::<NamePattern>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_fit_with_all_their_endings() {
        for subject in ["x".repeat(900), format!("{}.csv", "é".repeat(300)), format!("a.{}", "b".repeat(500))]
        {
            let id: Id = "i".parse().expect("an id");
            let fields = NameFields { subject: Some(&subject), id: &id, name: None, date: "" };
            let name = NamePattern::default().fill(&fields);
            assert!(name.with(".failed.json").nth(u32::MAX).len() <= 255, "{name}");
            assert_eq!(subject.ends_with(".csv"), name.to_string().ends_with(".csv"));
        }
    }
}
