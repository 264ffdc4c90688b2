//! Warnings and suggestions for a weak password: codes that never change, with an English sentence each.

use super::patterns::{Match, Pattern};
use super::words::List;

macro_rules! sentences {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $text] $variant,)*
        }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word to translate by, `snake_case`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The sentence in English.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

sentences! {
    /// The reason why a password is weak.
    Warning {
        StraightRow = "straight_row", "Straight rows of keys are easy to guess.";
        KeyboardPattern = "keyboard_pattern", "Short keyboard patterns are easy to guess.";
        RepeatedCharacter = "repeated_character", "Repeats like \"aaa\" are easy to guess.";
        RepeatedWord = "repeated_word", "Repeats like \"abcabcabc\" are only slightly harder to guess than \"abc\".";
        Top10 = "top_10", "This is a top-10 common password.";
        Top100 = "top_100", "This is a top-100 common password.";
        Common = "common", "This is a very common password.";
        SimilarToCommon = "similar_to_common", "This is similar to a commonly used password.";
        Sequence = "sequence", "Sequences like abc or 6543 are easy to guess.";
        RecentYear = "recent_year", "Recent years are easy to guess.";
        SingleWord = "single_word", "A word by itself is easy to guess.";
        Date = "date", "Dates are often easy to guess.";
        SingleName = "single_name", "Names and surnames by themselves are easy to guess.";
        CommonName = "common_name", "Common names and surnames are easy to guess.";
    }
}

sentences! {
    /// A suggestion for a stronger password.
    Suggestion {
        UseWords = "use_words", "Use a few words, avoid common phrases.";
        NoNeedForSymbols = "no_need_for_symbols", "No need for symbols, digits, or uppercase letters.";
        AddWords = "add_words", "Add another word or two. Uncommon words are better.";
        Capitals = "capitals", "Capitalization doesn't help very much.";
        AllCapitals = "all_capitals", "All-uppercase is almost as easy to guess as all-lowercase.";
        Reversed = "reversed", "Reversed words aren't much harder to guess.";
        Substitutions = "substitutions", "Predictable substitutions like '@' instead of 'a' don't help very much.";
        LongerPattern = "longer_pattern", "Use a longer keyboard pattern with more turns.";
        NoRepeats = "no_repeats", "Avoid repeated words and characters.";
        NoSequences = "no_sequences", "Avoid sequences.";
        NoRecentYears = "no_recent_years", "Avoid recent years.";
        NoOwnYears = "no_own_years", "Avoid years that are associated with you.";
        NoOwnDates = "no_own_dates", "Avoid dates and years that are associated with you.";
    }
}

/// The warning and the suggestions for a password that is made of these pieces.
pub(super) fn of(password: &[char], score: u8, pieces: &[Match]) -> (Option<Warning>, Vec<Suggestion>) {
    if pieces.is_empty() {
        return (None, vec![Suggestion::UseWords, Suggestion::NoNeedForSymbols]);
    }
    let longest = pieces.iter().max_by_key(|piece| piece.end - piece.start);
    let Some(longest) = longest.filter(|_| score < 3) else { return (None, Vec::new()) };
    let (warning, mut suggestions) = of_piece(password, longest, pieces.len() == 1);
    suggestions.insert(0, Suggestion::AddWords);
    (warning, suggestions)
}

fn of_piece(password: &[char], piece: &Match, alone: bool) -> (Option<Warning>, Vec<Suggestion>) {
    let (warning, suggestions) = match &piece.pattern {
        Pattern::BruteForce => return (None, Vec::new()),
        Pattern::Word { .. } => return (of_word(&piece.pattern, alone), of_spelling(password, piece)),
        Pattern::Keys { turns: 1, .. } => (Warning::StraightRow, vec![Suggestion::LongerPattern]),
        Pattern::Keys { .. } => (Warning::KeyboardPattern, vec![Suggestion::LongerPattern]),
        Pattern::Repeat { base: 1, .. } => (Warning::RepeatedCharacter, vec![Suggestion::NoRepeats]),
        Pattern::Repeat { .. } => (Warning::RepeatedWord, vec![Suggestion::NoRepeats]),
        Pattern::Sequence { .. } => (Warning::Sequence, vec![Suggestion::NoSequences]),
        Pattern::RecentYear { .. } => (Warning::RecentYear, vec![Suggestion::NoRecentYears, Suggestion::NoOwnYears]),
        Pattern::Date { .. } => (Warning::Date, vec![Suggestion::NoOwnDates]),
    };
    (Some(warning), suggestions)
}

fn of_word(pattern: &Pattern, alone: bool) -> Option<Warning> {
    let Pattern::Word { list, rank, reversed, substitutions } = pattern else { return None };
    let plain = alone && !reversed && substitutions.is_empty();
    match (list, plain, alone) {
        (List::Passwords, true, _) if *rank <= 10 => Some(Warning::Top10),
        (List::Passwords, true, _) if *rank <= 100 => Some(Warning::Top100),
        (List::Passwords, true, _) => Some(Warning::Common),
        (List::Passwords, false, _) => Some(Warning::SimilarToCommon),
        (List::English, _, true) => Some(Warning::SingleWord),
        (List::FemaleNames | List::MaleNames | List::Surnames, _, true) => Some(Warning::SingleName),
        (List::FemaleNames | List::MaleNames | List::Surnames, _, false) => Some(Warning::CommonName),
        (List::English | List::UsTvAndFilm | List::Own, ..) => None,
    }
}

fn of_spelling(password: &[char], piece: &Match) -> Vec<Suggestion> {
    let token = password.get(piece.start..piece.end).unwrap_or_default();
    let Pattern::Word { reversed, substitutions, .. } = &piece.pattern else { return Vec::new() };
    let all_capitals = token.len() > 1 && token.iter().all(|c| c.is_uppercase());
    let capitals = token.first().is_some_and(|c| c.is_uppercase());
    let told = [
        (all_capitals, Suggestion::AllCapitals),
        (capitals && !all_capitals, Suggestion::Capitals),
        (*reversed && token.len() >= 4, Suggestion::Reversed),
        (!substitutions.is_empty(), Suggestion::Substitutions),
    ];
    told.into_iter().filter(|(tell, _)| *tell).map(|(_, suggestion)| suggestion).collect()
}
