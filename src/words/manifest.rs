//! A manifest: a file that says which files belong together, and what each of them has to be.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::checksum::plain;
use super::{Error, ErrorKind, Result};

/// The largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// The files of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// At least one, each once.
    pub files: Vec<Listing>,
}

/// What a manifest says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Its name, in the folder of the manifest.
    pub name: String,
    /// How many bytes it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its SHA-256, in lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Bare(Vec<Listing>),
    Named { files: Vec<Listing> },
}

impl Manifest {
    /// Reads a manifest: JSON (`{"files":[{"name":"a.csv","size":3,"sha256":"…"}]}`, or only the array), CSV with a header line
    /// (`name,size,sha256` in any order, separated by commas, semicolons or tabs; only the name is needed), or what `sha256sum` writes, with
    /// its backslashes. All of it in UTF-8.
    ///
    /// ```
    /// use filedrop::Manifest;
    ///
    /// let manifest = Manifest::parse(b"name;size\na.csv;3\nb.csv;4\n").unwrap();
    /// assert_eq!((manifest.files[1].name.as_str(), manifest.files[1].size), ("b.csv", Some(4)));
    /// assert!(Manifest::parse(b"name\n../a.csv\n").is_err());
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`]: what is wrong, and in which line.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: String| Error::new(ErrorKind::Invalid, why);
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(wrong(format!("it is larger than {MAX_MANIFEST_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| wrong(format!("it is not UTF-8: {e}")))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut files = match text.trim_start().starts_with(['{', '[']) {
            true => match serde_json::from_str(text) {
                Ok(Json::Bare(files) | Json::Named { files }) => files,
                Err(e) => return Err(wrong(format!("it is no manifest in JSON: {e}"))),
            },
            false => lines(text).map_err(wrong)?,
        };
        let mut names = BTreeSet::new();
        for file in &mut files {
            let Listing { name, sha256, .. } = file;
            if matches!(&name[..], "" | "." | "..") || name.contains(['/', '\0']) {
                return Err(wrong(format!("{name:?} is no name of a file beside it")));
            }
            if !names.insert(name.clone()) {
                return Err(wrong(format!("{name:?} is in it twice")));
            }
            if let Some(digest) = sha256 {
                *digest =
                    is_digest(digest).ok_or_else(|| wrong(format!("the sha256 of {name:?} is none")))?;
            }
        }
        if files.is_empty() { Err(wrong("it names no file".to_owned())) } else { Ok(Self { files }) }
    }
}

fn is_digest(text: &str) -> Option<String> {
    (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

fn lines(text: &str) -> Result<Vec<Listing>, String> {
    let full = |line: &(usize, &str)| !line.1.trim().is_empty() && !line.1.starts_with('#');
    let mut lines = text.lines().enumerate().map(|(nth, line)| (nth + 1, line)).filter(full).peekable();
    let Some((_, first)) = lines.peek().copied() else { return Ok(Vec::new()) };
    // Here it is a path of Windows; in what `sha256sum` writes it is doubled, and the line is marked.
    let leads_away = |listing: Listing| match listing.name.contains('\\') {
        true => Err(format!("{:?} is no name of a file beside it", listing.name)),
        false => Ok(listing),
    };
    if let (Some(columns), None) = (Columns::of(first), checksum_line(first)) {
        lines.next();
        return lines
            .map(|(nth, line)| {
                columns.read(line).and_then(leads_away).map_err(|why| format!("line {nth}: {why}"))
            })
            .collect();
    }
    let read = |(nth, line): (usize, &str)| {
        let read = match line.strip_prefix('\\') {
            Some(line) => checksum_line(line).and_then(unescaped).ok_or(NEITHER.to_owned()),
            None => checksum_line(line).ok_or(NEITHER.to_owned()).and_then(leads_away),
        };
        read.map_err(|why| format!("line {nth}: {why}"))
    };
    lines.map(read).collect()
}

const NEITHER: &str =
    "neither JSON, nor CSV with a header that has a column `name`, nor what sha256sum writes";

/// `<hex>  <name>` (coreutils), `SHA256 (<name>) = <hex>` (BSD).
fn checksum_line(line: &str) -> Option<Listing> {
    let bsd = line.strip_prefix("SHA256 (").and_then(|rest| rest.rsplit_once(") = "));
    let (name, digest) = match bsd {
        Some((name, digest)) => (name, digest.trim()),
        None => {
            let (digest, name) = line.split_once([' ', '\t'])?;
            // Other blanks are the name's; but who writes one only, or tabs, means none of them.
            let exact = name.strip_prefix([' ', '*']);
            (exact.unwrap_or(name.trim_start()), digest)
        }
    };
    let name = name.strip_prefix("./").unwrap_or(name);
    Some(Listing { name: name.to_owned(), size: None, sha256: Some(is_digest(digest)?) })
}

/// A line with a backslash before it has some in its name, that stand for line breaks and for themselves.
fn unescaped(listing: Listing) -> Option<Listing> {
    let name = plain(listing.name.as_bytes(), true)?.into_owned();
    Some(Listing { name: String::from_utf8(name).ok()?, ..listing })
}

/// Where in a line of CSV what stands.
struct Columns {
    separator: char,
    name: usize,
    size: Option<usize>,
    sha256: Option<usize>,
}

impl Columns {
    fn of(header: &str) -> Option<Self> {
        [',', ';', '\t'].into_iter().find_map(|separator| {
            let fields = fields(header, separator).ok()?;
            let fields: Vec<String> = fields.iter().map(|field| field.trim().to_ascii_lowercase()).collect();
            let find = |names: &[&str]| fields.iter().position(|field| names.contains(&&field[..]));
            Some(Self {
                separator,
                name: find(&["name", "file", "filename"])?,
                size: find(&["size", "bytes"]),
                sha256: find(&["sha256", "hash", "checksum"]),
            })
        })
    }

    fn read(&self, line: &str) -> Result<Listing, String> {
        let fields = fields(line, self.separator)?;
        let field = |at: usize| fields.get(at).map(|field| field.trim()).filter(|field| !field.is_empty());
        let name = field(self.name).ok_or("there is no name in it")?.to_owned();
        let size =
            self.size.and_then(field).map(|size| size.parse().map_err(|_| format!("{size:?} is no size")));
        let sha256 = self.sha256.and_then(field).map(str::to_owned);
        Ok(Listing { name, size: size.transpose()?, sha256 })
    }
}

/// A line of CSV (RFC 4180), without line breaks inside of quotes.
fn fields(line: &str, separator: char) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("there is always one");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().unwrap_or(c)),
            '"' if quoted || field.is_empty() => quoted = !quoted,
            c if c == separator && !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(fields) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, Option<u64>, bool)> {
        let files = Manifest::parse(text.as_bytes()).expect(text).files;
        files.into_iter().map(|file| (file.name, file.size, file.sha256.is_some())).collect()
    }

    #[test]
    fn the_usual_forms_are_read() {
        let hex = "AB".repeat(32);
        let both = [("a b.csv".to_owned(), Some(3), true), ("c.csv".to_owned(), Some(0), true)];
        for text in [
            format!(
                r#"{{"files":[{{"name":"a b.csv","size":3,"sha256":"{hex}"}},{{"name":"c.csv","size":0,"sha256":"{hex}"}}]}}"#
            ),
            format!(
                r#" [{{"name":"a b.csv","size":3,"sha256":"{hex}","more":1}},{{"name":"c.csv","size":0,"sha256":"{hex}"}}]"#
            ),
            format!("name,size,sha256\r\na b.csv,3,{hex}\r\n\r\nc.csv,0,{hex}\r\n"),
            format!("\u{feff}SHA256;Size;Name;more\n{hex};3;\"a b.csv\";x\n{hex};0;c.csv\n"),
        ] {
            assert_eq!(parsed(&text), both, "{text}");
        }
        let sums = [("a b.csv".to_owned(), None, true), ("c.csv".to_owned(), None, true)];
        for text in [
            format!("{hex}  a b.csv\n{hex} *c.csv\n"),
            format!("# made by hand\nSHA256 (a b.csv) = {hex}\nSHA256 (c.csv) = {hex}\n"),
            format!("{hex}  ./a b.csv\n{hex}  ./c.csv"),
            format!("{hex} a b.csv\n{hex}\t\tc.csv"),
        ] {
            assert_eq!(parsed(&text), sums, "{text}");
        }
        let named = [(" a,name".to_owned(), None, true)];
        assert_eq!(parsed(&format!("{hex}   a,name\n")), named, "no header, and the blank is the name's");
        let odd = [("n\nl\r.csv".to_owned(), None, true), ("a\\b.csv".to_owned(), None, true)];
        for text in [
            format!("\\{hex}  n\\nl\\r.csv\n\\{hex} *./a\\\\b.csv\n"),
            format!("\\SHA256 (n\\nl\\r.csv) = {hex}\n\\SHA256 (a\\\\b.csv) = {hex}\n"),
            format!(r#"[{{"name":"n\nl\r.csv","sha256":"{hex}"}},{{"name":"a\\b.csv","sha256":"{hex}"}}]"#),
        ] {
            assert_eq!(parsed(&text), odd, "{text}");
        }
        assert_eq!(parsed("name\n\"a\"\"b,c\"\n"), [("a\"b,c".to_owned(), None, false)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("", "names no file"),
            ("name\n", "names no file"),
            ("[]", "names no file"),
            ("{\"files\":1}", "no manifest in JSON"),
            ("name\n../x\n", "no name of a file beside it"),
            ("name\na/b\n", "no name of a file beside it"),
            ("[{\"name\":\"..\"}]", "no name of a file beside it"),
            ("[{\"name\":\"a\\u0000\"}]", "no name of a file beside it"),
            ("name\na\\b\n", "line 2: \"a\\\\b\" is no name of a file beside it"),
            (&format!("{}  a\\b\n", "0".repeat(64)), "line 1: \"a\\\\b\" is no name of a file beside it"),
            (&format!("\\{}  a\\b\n", "0".repeat(64)), "line 1: neither JSON"),
            ("name\nx\nx\n", "twice"),
            ("name,size\nx,many\n", "line 2: \"many\" is no size"),
            ("name,sha256\nx,abc\n", "the sha256 of \"x\" is none"),
            ("name\n\"x\n", "line 2: a quote is not closed"),
            ("a.csv\nb.csv\n", "line 1: neither JSON"),
        ] {
            let told = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(why), "{text:?}: {told}");
        }
        assert!(Manifest::parse(&[0xff]).is_err());
        assert!(Manifest::parse(&vec![b'\n'; MAX_MANIFEST_BYTES + 1]).is_err());
    }
}
