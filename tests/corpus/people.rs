//! Addresses, numbers and names.

use super::{Dice, HOSTILE};

const LOCALS: [&str; 28] = [
    "john.doe",
    "o'brien+tag",
    "a",
    "用户",
    "jürgen",
    "e\u{301}lan",
    "\"a b\"",
    "\"a@b\"",
    "\"q\\\"x\"",
    "x_y-z",
    "UPPER.Case",
    ".lead",
    "trail.",
    "two..dots",
    "",
    "a b",
    "a,b",
    "почта",
    "ação",
    "\"\"",
    "\"unclosed",
    "!#$%&'*+-/=?^_`{|}~",
    "a\u{202e}b",
    "a\u{ad}b",
    "用\u{3000}户",
    "ﬁ",
    "K\u{212a}",
    "(comment)a",
];
const DOMAINS: [&str; 36] = [
    "example.com",
    "EXAMPLE.org",
    "münchen.de",
    "xn--mnchen-3ya.de",
    "例子.公司",
    "пример.рф",
    "bücher.example",
    "faß.de",
    "straße.example",
    "localhost",
    "[127.0.0.1]",
    "1.2.3.4",
    "a-.com",
    "-a.com",
    "x..org",
    "x.org.",
    "a_b.org",
    "exam ple.com",
    "ex\u{200d}ample.com",
    "नी\u{200d}.com",
    "☕.example",
    "ｆｕｌｌ.com",
    "a。b",
    "xn--a.com",
    "xn--ls8h.la",
    "ab--cd.com",
    "sub.sub.sub.example.co.uk",
    "مثال.إختبار",
    "ab.עברית",
    "1עב.com",
    "a\u{301}.com",
    "\u{301}a.com",
    "a.b.c.d.e.f.g.museum",
    "e\u{327}\u{301}x.org",
    "ｘｎ--a.com",
    "com",
];

/// Addresses: every local part at every domain in part, and mutations.
pub fn emails(dice: &mut Dice) -> Vec<String> {
    let mut emails: Vec<String> = HOSTILE
        .iter()
        .flat_map(|text| [format!("{text}@example.com"), format!("a@{text}.com"), (*text).to_owned()])
        .collect();
    emails.extend(LOCALS.iter().flat_map(|local| DOMAINS.iter().map(move |domain| format!("{local}@{domain}"))));
    for length in [62, 63, 64, 65, 66, 250, 254, 255, 300, 1016, 1017] {
        emails.push(format!("{}@example.com", "a".repeat(length)));
        emails.push(format!("a@{}.com", "b".repeat(length)));
        emails.push(format!("a@{}com", "b.".repeat(length)));
        emails.push(format!("{}@münchen.de", "é".repeat(length / 2)));
    }
    while emails.len() < 2400 {
        let mut email: Vec<char> = format!("{}@{}", dice.of(&LOCALS), dice.of(&DOMAINS)).chars().collect();
        for _ in 0..=dice.below(3) {
            let at = dice.below(email.len() + 1);
            match dice.below(3) {
                0 => email.insert(
                    at,
                    dice.of(&[
                        '.', '@', ' ', '"', '\\', 'ß', 'İ', 'ς', '\u{200c}', '\u{301}', '-', 'A', '٣', 'ا', 'ק', '龍',
                    ]),
                ),
                1 if at < email.len() => drop(email.remove(at)),
                _ => {
                    let half = email.len() / 2;
                    email.rotate_left(at.min(half));
                }
            }
        }
        emails.push(email.into_iter().collect());
    }
    emails
}

const COUNTRIES: [&str; 34] = [
    "US", "us", "DE", "GB", "FR", "RU", "KZ", "CA", "JM", "IN", "CN", "AU", "+1", "+49", "+44", "+7", "+353", "+1242",
    "+0", "+999", "", "XX", "USA", " US ", "u", "ÜS", "+-1", "1", "+1 ", "IT", "VA", "GG", "NO", "SJ",
];

/// Numbers with countries, many of them at odds.
pub fn phones(dice: &mut Dice) -> Vec<(String, String)> {
    let pair = |number: &str, country: &str| (number.to_owned(), country.to_owned());
    let mut phones: Vec<(String, String)> = HOSTILE.iter().map(|text| pair(text, "US")).collect();
    phones.extend(HOSTILE.iter().map(|text| pair("+1234567890", text)));
    phones.push(pair(&"1".repeat(10_000), "US"));
    phones.push(pair(&format!("+1{}5", " ".repeat(40)), "US"));
    while phones.len() < 1200 {
        let dial = dice.of(&["1", "1", "49", "44", "7", "353", "91", "86", "242", "0", "999", "39", "47", "61"]);
        let mut number = format!("{}{dial}", dice.of(&["+", "+", "+", "+", "", "00", "++", " +"]));
        for _ in 0..dice.below(16) {
            if dice.once_in(6) {
                number.push(dice.of(&[' ', '-', '(', ')', '.', '/', '\u{a0}', '\u{2011}', 'x', '٣', '１', ',']));
            }
            number.push(dice.of(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']));
        }
        phones.push((number, (dice.of(&COUNTRIES)).to_owned()));
    }
    phones
}

const GIVEN: [&str; 40] = [
    "John",
    "O'Brien",
    "Jean-Luc",
    "José",
    "Jose\u{301}",
    "Мария",
    "Ελένη",
    "李小龍",
    "山田 太郎",
    "김철수",
    "김",
    "محمد",
    "שרה",
    "สมชาย",
    "नीलम",
    "தமிழ்",
    "ქეთევან",
    "Անի",
    "Nguyễn",
    "Þór",
    "Łukasz",
    "Ðorđe",
    "İpek",
    "Sørensen",
    "D'Arcy ",
    "van der Berg",
    "X Æ A-12",
    "ᠮᠣᠩᠭᠣᠯ",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "አማርኛ",
    "ខ្មែរ",
    "မြန်မာ",
    "ລາວ",
    "සිංහල",
    "తెలుగు",
    "ಕನ್ನಡ",
    "മലയാളം",
    "ગુજરાતી",
    "𐌰𐌱",
    "🙂",
];

/// Names in many scripts, long ones, and with what no name has.
pub fn names(dice: &mut Dice) -> Vec<String> {
    let mut names: Vec<String> = HOSTILE.iter().chain(&GIVEN).map(|name| (*name).to_owned()).collect();
    for length in [99, 100, 101, 6400, 6401] {
        names.extend(["a", "é", "e\u{301}", "李", "\u{1112}\u{1161}\u{11ab}", " "].map(|letter| letter.repeat(length)));
    }
    while names.len() < 1200 {
        let mut name = String::new();
        for _ in 0..=dice.below(4) {
            name.push_str(if dice.once_in(12) { dice.of(&HOSTILE) } else { dice.of(&GIVEN) });
            name.push_str(dice.of(&[" ", "-", "", "\u{a0}", "\u{3000}", "'", "’", "\t", "\u{200d}", "\u{301}"]));
        }
        names.push(name);
    }
    names
}
