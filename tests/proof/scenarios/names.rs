//! Names that a person can read: what is random in them is numbered as it comes.

#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// `/drop/inbox/5.1700000000000.018bcfe5-….1.job.json` becomes `inbox/5.TIME.id1.1.job.json`.
    pub(super) fn readable(&mut self, line: &str) -> String {
        let mut readable = String::new();
        for part in line.replace("/drop/", "").split_inclusive(['/', '.', ' ']) {
            let (word, end) = match part.char_indices().next_back() {
                Some((at, '/' | '.' | ' ')) => part.split_at(at),
                _ => (part, ""),
            };
            readable += &self.word(word);
            readable += end;
        }
        readable
    }

    fn word(&mut self, word: &str) -> String {
        let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let is_uuid = word.len() == 36 && word.split('-').all(is_hex);
        if is_uuid {
            return format!("id{}", self.number(word));
        }
        if let Some((before, nonce)) = word.rsplit_once('-')
            && nonce.len() == 16
            && is_hex(nonce)
        {
            return format!("{before}-n{}", self.number(nonce));
        }
        match word.len() {
            13 if word.bytes().all(|b| b.is_ascii_digit()) => "TIME".to_owned(),
            16 if is_hex(word) => format!("n{}", self.number(word)),
            32 if is_hex(word) => format!("draft{}", self.number(word)),
            _ => word.to_owned(),
        }
    }

    fn number(&mut self, word: &str) -> usize {
        let known = self.0.iter().position(|known| known == word);
        1 + known.unwrap_or_else(|| {
            self.0.push(word.to_owned());
            self.0.len() - 1
        })
    }
}
