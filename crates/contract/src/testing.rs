//! Filters and names for tests that try them all.

/// Every filter of up to three levels over two texts, an empty one and the wildcards.
pub(crate) fn filters() -> Vec<String> {
    let mut filters = combinations(&["a", "$b", "+"], 3);
    let open: Vec<_> =
        combinations(&["a", "$b", "+"], 2).iter().map(|filter| format!("{filter}/#")).collect();
    filters.extend(open);
    filters.push("#".to_owned());
    filters
}

/// Every name of up to five levels over the texts of [`filters`] and one that is in none of them.
pub(crate) fn topics() -> Vec<String> {
    combinations(&["a", "$b", "z"], 5)
}

fn combinations(texts: &[&str], levels_max: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut last = vec![String::new()];
    for level in 0..levels_max {
        let separator = if level == 0 { "" } else { "/" };
        last = last
            .iter()
            .flat_map(|before| texts.iter().map(move |text| format!("{before}{separator}{text}")))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}
