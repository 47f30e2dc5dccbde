//! CRC-32C (Castagnoli), the checksum at the end of every frame and checkpoint.

/// Reflected form of the polynomial 0x1EDC6F41 (RFC 3720, section 12.1).
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// Bytes that are taken at once ("slicing": Kounavis and Berry 2008). Each of them costs a table of 1 KiB, which a
/// device's flash holds too.
const SLICE: usize = 4;

/// `TABLES[n]`: what is left of a byte that has `n` more bytes behind it.
const TABLES: [[u32; 256]; SLICE] = tables();

const fn tables() -> [[u32; 256]; SLICE] {
    let mut tables = [[0; 256]; SLICE];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 * SLICE {
            rest = if rest & 1 == 1 {
                (rest >> 1) ^ POLYNOMIAL
            } else {
                rest >> 1
            };
            bit += 1;
            if bit % 8 == 0 {
                tables[bit / 8 - 1][byte] = rest;
            }
        }
        byte += 1;
    }
    tables
}

/// The CRC-32C of `before` (0 at the start) continued over `bytes`.
#[must_use]
pub fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let (slices, tail) = bytes.as_chunks::<SLICE>();
    let rest = slices.iter().fold(!before, |rest, slice| {
        let [a, b, c, d] = (rest ^ u32::from_le_bytes(*slice)).to_le_bytes();
        TABLES[3][usize::from(a)]
            ^ TABLES[2][usize::from(b)]
            ^ TABLES[1][usize::from(c)]
            ^ TABLES[0][usize::from(d)]
    });
    let rest = tail.iter().fold(rest, |rest, byte| {
        (rest >> 8) ^ TABLES[0][usize::from((rest as u8) ^ byte)]
    });
    !rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 3720, appendix B.4.
    #[test]
    fn the_published_vectors_hold() {
        let ascending: std::vec::Vec<u8> = (0..32).collect();
        for (bytes, expected) in [
            (&b"123456789"[..], 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
        ] {
            assert_eq!(crc32c(0, bytes), expected);
        }
    }

    #[test]
    fn a_checksum_can_be_continued() {
        assert_eq!(
            crc32c(crc32c(0, b"1234"), b"56789"),
            crc32c(0, b"123456789")
        );
    }
}
