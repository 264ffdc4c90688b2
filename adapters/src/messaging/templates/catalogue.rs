//! The catalogue of a language: `messages.json` beside its templates. It has the texts outside of templates: words of
//! layouts, durations, and the sentences of error codes and password advice.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_core::model::code::Code;
use serde::Deserialize;

/// The texts of a language. The English catalogue has no `codes` and `sentences`: their texts are in the source code.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalogue {
    /// Words of layouts, by key. `{app_name}` stands for the application's name.
    pub words: BTreeMap<String, String>,
    /// For each unit, such as `minute`: the text by number (`1`), and `other` for the numbers without an entry. `{n}`
    /// stands for the number.
    pub durations: BTreeMap<String, BTreeMap<String, String>>,
    /// The sentence of each error code.
    pub codes: BTreeMap<String, String>,
    /// Other sentences, by their English text; `{n}` stands for a number.
    pub sentences: BTreeMap<String, String>,
}

impl Catalogue {
    /// Adds the texts of another catalogue of the same language. They replace those with the same key.
    pub fn extend(&mut self, other: Self) {
        self.words.extend(other.words);
        self.durations.extend(other.durations);
        self.codes.extend(other.codes);
        self.sentences.extend(other.sentences);
    }

    /// A duration in words, such as `24 hours` or `7 days`. `None` if the catalogue has no text for it.
    pub(super) fn duration(&self, duration: Duration) -> Option<String> {
        // rounded up: a lifetime of 24 hours that began some milliseconds ago is still `24 hours`
        let seconds = duration.as_millis().div_ceil(1000);
        let (count, unit) = match seconds {
            s if s >= 172_800 && s.is_multiple_of(86_400) => (s / 86_400, "day"),
            s if s >= 3600 && s.is_multiple_of(3600) => (s / 3600, "hour"),
            s if s >= 120 => (s / 60, "minute"),
            s => (s, "second"),
        };
        let forms = self.durations.get(unit)?;
        let count = count.to_string();
        forms.get(&count).or_else(|| forms.get("other")).map(|form| form.replace("{n}", &count))
    }

    /// Translates the message of a violation. Sentences without a translation stay English.
    pub(super) fn message(&self, code: Code, english: &str) -> String {
        if english == code.title() {
            return self.codes.get(code.as_str()).cloned().unwrap_or_else(|| english.to_owned());
        }
        if let Some(sentence) = self.sentences.get(english) {
            return sentence.clone();
        }
        let number: String = english.chars().filter(char::is_ascii_digit).collect();
        if !number.is_empty()
            && let Some(sentence) = self.sentences.get(&english.replacen(&number, "{n}", 1))
        {
            return sentence.replace("{n}", &number);
        }
        // password advice has several sentences; the longest are replaced first, because one may be part of another
        let mut known: Vec<(&String, &String)> = self.sentences.iter().collect();
        known.sort_by_key(|(sentence, _)| std::cmp::Reverse(sentence.len()));
        known.into_iter().fold(english.to_owned(), |text, (sentence, translation)| text.replace(sentence, translation))
    }
}
