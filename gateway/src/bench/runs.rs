//! Stretches of rows of which something is so.

/// First and last of each stretch.
#[must_use]
pub(super) fn runs(marks: impl IntoIterator<Item = bool>) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let set = marks.into_iter().enumerate().filter(|(_, is_so)| *is_so);
    for (row, _) in set {
        match runs.last_mut() {
            Some(run) if run.1 + 1 == row => run.1 = row,
            _ => runs.push((row, row)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn stretches_end_where_it_is_not_so() {
        let marks = |text: &str| runs(text.chars().map(|mark| mark == 'x'));
        assert_eq!(marks("xx..x.xxx"), [(0, 1), (4, 4), (6, 8)]);
        assert_eq!(marks("...."), []);
        assert_eq!(marks(""), []);
    }
}
