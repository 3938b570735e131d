//! Topic filters: the codec's matcher and a second one, written differently, always agree.

use tidegate_mqtt::{SharedFilter, TopicFilter, TopicName};

/// Takes `bytes` as a filter, a line feed and a name.
///
/// # Panics
/// When the codec and the second opinion differ.
pub fn topics(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(TopicName::from_bytes(bytes).is_err(), "a topic name is UTF-8");
        return;
    };
    let (filter, name) = text.split_once('\n').unwrap_or((text, text));
    let topic_filter = TopicFilter::new(filter);
    assert_eq!(topic_filter.is_ok(), naive_filter_is_legal(filter), "{filter:?}");
    let name_is_legal = !name.is_empty() && name.len() <= 65_535 && !name.contains(['\0', '+', '#']);
    assert_eq!(TopicName::new(name).is_ok(), name_is_legal, "{name:?}");
    if let Ok(topic_filter) = topic_filter
        && name_is_legal
    {
        assert_eq!(topic_filter.matches(name), naive_matches(filter, name), "{filter:?} {name:?}");
    }
    shared(filter);
}

fn shared(text: &str) {
    let Some(parsed) = SharedFilter::parse(text) else {
        assert!(!text.starts_with("$share/"), "{text:?}");
        return;
    };
    let mut parts = text.splitn(3, '/');
    let (head, share_name, filter) = (parts.next(), parts.next(), parts.next());
    assert_eq!(head, Some("$share"));
    let legal = share_name.is_some_and(|name| !name.is_empty() && !name.contains(['+', '#']))
        && filter.is_some_and(naive_filter_is_legal);
    assert_eq!(parsed.is_ok(), legal, "{text:?}");
    if let Ok(parsed) = parsed {
        assert_eq!((Some(parsed.share_name), Some(parsed.filter.as_str())), (share_name, filter));
    }
}

/// Looks at the neighbours of each wildcard instead of at levels.
#[must_use]
pub fn naive_filter_is_legal(filter: &str) -> bool {
    let bytes = filter.as_bytes();
    let slash_or_end = |at: Option<&u8>| at.is_none_or(|&byte| byte == b'/');
    let before = |index: usize| if index == 0 { None } else { bytes.get(index - 1) };
    (1..=65_535).contains(&bytes.len())
        && bytes.iter().enumerate().all(|(index, byte)| match byte {
            0 => false,
            b'+' => slash_or_end(before(index)) && slash_or_end(bytes.get(index + 1)),
            b'#' => slash_or_end(before(index)) && index + 1 == bytes.len(),
            _ => true,
        })
}

/// Walks both texts byte by byte, without taking either apart into levels.
#[must_use]
pub fn naive_matches(filter: &str, name: &str) -> bool {
    let (filter, name) = (filter.as_bytes(), name.as_bytes());
    if name.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
        return false;
    }
    let (mut f, mut n) = (0, 0);
    loop {
        match (filter.get(f), name.get(n)) {
            (Some(b'#'), _) | (None, None) => return true,
            (Some(b'+'), _) => {
                f += 1;
                while name.get(n).is_some_and(|&byte| byte != b'/') {
                    n += 1;
                }
            }
            (Some(want), Some(have)) if want == have => {
                f += 1;
                n += 1;
            }
            // The name ends where "/#" begins: the parent level is included.
            (Some(b'/'), None) => return filter.get(f + 1) == Some(&b'#'),
            _ => return false,
        }
    }
}
