//! From bytes of UTF-8 to units of UTF-16.

/// The number of UTF-16 units before each byte of a text, and of all of it at the end.
pub struct Units(Vec<u32>);

impl Units {
    /// Counts them.
    pub fn of(text: &str) -> Self {
        let mut before = Vec::with_capacity(text.len() + 1);
        let mut count = 0;
        for character in text.chars() {
            // Bytes within a character count as its start.
            before.extend(std::iter::repeat_n(count, character.len_utf8()));
            count += character.len_utf16() as u32;
        }
        before.push(count);
        Self(before)
    }

    /// A range of bytes in units.
    pub fn range(&self, [start, end]: [usize; 2]) -> [usize; 2] {
        [start, end].map(|at| self.0.get(at).or(self.0.last()).copied().unwrap_or(0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_take_two_units_and_four_bytes() {
        let units = Units::of("é🎬a");
        assert_eq!(units.range([0, 2]), [0, 1]);
        assert_eq!(units.range([2, 6]), [1, 3]);
        assert_eq!(units.range([6, 7]), [3, 4]);
        assert_eq!(units.range([7, 99]), [4, 4]);
    }
}
