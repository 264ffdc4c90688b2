//! Unicode's normal forms, by the tables that domain names need anyway: a page loads them once.

pub(crate) use idna_adapter::{nfc, nfkc};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_spelled_the_same() {
        assert_eq!((nfc("e\u{301}").as_str(), nfc("ﬁ").as_str()), ("é", "ﬁ"));
        assert_eq!((nfkc("e\u{301}").as_str(), nfkc("ﬁ").as_str()), ("é", "fi"));
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}"), "한");
    }
}
