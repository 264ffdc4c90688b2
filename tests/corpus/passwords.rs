//! Passwords as people make them: words and names, bent a little, with years, dates, walks and repeats; and some that
//! nobody would guess.

use super::{Dice, HOSTILE};

/// The words that strength is measured by, as `cargo xtask pack-dictionary` packed them.
static PACKED: &[u8] = include_bytes!("../../core/src/model/strength/words.bin");

const PHRASES: [&str; 20] = [
    "correct horse battery staple",
    "Пароль за огородом 7",
    "D0g..................",
    "qwER43@!",
    "Tr0ub4dour&3",
    "correcthorsebatterystaple",
    "neverforget13/3/1997",
    "rWibMFACxAUGZmxhVncy",
    "Ba9ZyWABu99[BK#6MBgbH88Tofv)vs$w",
    "zxcvbn",
    "temppass22",
    "briansmith",
    "thx1138",
    "mot de passe",
    "Passwort123!",
    "hunter2",
    "verlineVANDERMARK",
    "eheuczkqyq",
    "ScoRpi0ns",
    "do you know",
];
const WALKS: [&str; 16] = [
    "qwerty",
    "asdfgh",
    "zxcvbn",
    "1qaz2wsx",
    "qazwsxedc",
    "!@#$%^",
    "poiuyt",
    "7410",
    "78963",
    "159357",
    "aoeui",
    "';qjk",
    "QAZwsx",
    "1234567890",
    "mnbvcxz",
    "bhunji",
];

/// Ten thousand.
pub fn passwords(dice: &mut Dice) -> Vec<String> {
    let words = words();
    let mut passwords: Vec<String> = HOSTILE.iter().chain(&PHRASES).map(|text| (*text).to_owned()).collect();
    passwords.extend((0..1500).map(|_| dice.of_words(&words)));
    while passwords.len() < 10_000 {
        let mut password = String::new();
        for _ in 0..=dice.below(3) {
            let piece = piece(dice, &words);
            password.push_str(&piece);
            if dice.once_in(4) {
                password.push(dice.of(&['-', '_', ' ', '.', '!', '1', '@', '#', '+', '·', '\u{a0}']));
            }
        }
        passwords.push(password);
    }
    passwords
}

fn piece(dice: &mut Dice, words: &[String]) -> String {
    match dice.below(14) {
        0..=4 => bent(dice, words),
        5 => format!("{}", 1900 + dice.below(200)),
        6 => {
            let separator = dice.of(&["", "", "-", "/", ".", "_"]);
            format!(
                "{}{separator}{}{separator}{}",
                1 + dice.below(31),
                1 + dice.below(12),
                dice.of(&["91", "1991", "2004", "04", "1066"])
            )
        }
        7 => (dice.of(&WALKS)).to_owned(),
        8 => dice.of_words(words).repeat(2 + dice.below(2)),
        9 => dice.of(&["a", "ab", "1", "xyz", "!", "ж"]).repeat(2 + dice.below(5)),
        10 => (dice.of(&["abcdef", "9753", "xyz", "fedcba", "гдеж", "αβγδ", "aab", "321", "ACEG"])).to_owned(),
        11 => dice
            .of(&["пароль", "contraseña", "密码", "パスワード", "Straße", "İstanbul", "ΣΊΣΥΦΟΣ", "naïve"])
            .to_string(),
        _ => (0..=dice.below(7)).map(|_| char::from(u8::try_from(33 + dice.below(94)).unwrap())).collect(),
    }
}

/// A word with capitals, signs for letters, or backwards.
fn bent(dice: &mut Dice, words: &[String]) -> String {
    let word = dice.of_words(words);
    match dice.below(7) {
        0 => word.to_uppercase(),
        1 => word[..1].to_uppercase() + &word[1..],
        2 => word.chars().rev().collect(),
        3 => word.chars().map(|c| if dice.once_in(3) { c.to_ascii_uppercase() } else { c }).collect(),
        4 | 5 => word.chars().map(|c| if dice.once_in(3) { c } else { sign(dice, c) }).collect(),
        _ => word,
    }
}

fn sign(dice: &mut Dice, letter: char) -> char {
    match letter {
        'a' => dice.of(&['4', '@']),
        'b' => '8',
        'e' => '3',
        'g' => dice.of(&['6', '9']),
        'i' => dice.of(&['1', '!', '|']),
        'l' => dice.of(&['1', '7', '|']),
        'o' => '0',
        's' => dice.of(&['$', '5']),
        't' => dice.of(&['+', '7']),
        'x' => '%',
        'z' => '2',
        'c' => dice.of(&['(', '<']),
        other => other,
    }
}

fn words() -> Vec<String> {
    let length = u32::from_le_bytes(PACKED[4..8].try_into().unwrap());
    let mut words: Vec<String> = Vec::new();
    for byte in &PACKED[8..8 + usize::try_from(length).unwrap()] {
        match byte.checked_sub(128) {
            Some(shared) => {
                let shared = words.last().map_or("", |last| &last[..usize::from(shared)]).to_owned();
                words.push(shared);
            }
            None => words.last_mut().unwrap().push(char::from(*byte)),
        }
    }
    words
}
