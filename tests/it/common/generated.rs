//! Weights and inputs that are computed instead of stored, to the bit those of tests/reference/generated.py.

use adversight::HostTensor;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of splitmix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The stream `seed`: uniform in [-1, 1), 24 bits, times `scale`, plus `offset`.
pub fn noise(seed: u64, scale: f32, offset: f32) -> impl Iterator<Item = f32> {
    let mut state = mix(seed);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(GOLDEN);
        ((mix(state) >> 40) as f32 * 2f32.powi(-23) - 1.0) * scale + offset
    })
}

/// CRC-32 as in zlib: what seeds are made of.
pub fn crc32(text: &str) -> u64 {
    let step = |crc: u32, byte: u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1)))
    };
    u64::from(!text.bytes().fold(!0, step))
}

/// An input `[N, C, …]`: noise in 7 blocks along each further axis, and half as much fine noise.
pub fn picture(name: &str, shape: &[usize]) -> HostTensor {
    const GRID: usize = 7;
    let (channels, spatial) = (shape[0] * shape[1], &shape[2..]);
    let coarse: Vec<f32> = noise(crc32(&format!("{name}/coarse")), 1.0, 0.0)
        .take(channels * GRID.pow(spatial.len() as u32))
        .collect();
    let fine = noise(crc32(&format!("{name}/fine")), 0.5, 0.0);
    let block = |flat: usize| {
        let mut rest = flat;
        let mut index = 0;
        let mut weight = 1;
        for &size in spatial.iter().rev() {
            index += rest % size / size.div_ceil(GRID) * weight;
            rest /= size;
            weight *= GRID;
        }
        rest * weight + index
    };
    let data = (0..shape.iter().product()).zip(fine).map(|(flat, fine)| fine + coarse[block(flat)]).collect();
    HostTensor::new(data, shape.to_vec()).unwrap()
}

/// What a skeleton's external data holds: little-endian float32 of the location "generated:<seed>:<scale>:<offset>".
///
/// # Errors
/// A sentence, for a location of any other form.
pub fn external(location: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, String> {
    let parts: Vec<&str> = location.split(':').collect();
    let &["generated", seed, scale, shift] = parts.as_slice() else {
        return Err(format!("\"{location}\" is not generated"));
    };
    let length = length.ok_or("a generated tensor says its length")? as usize;
    let wrong = |_| format!("\"{location}\" has a number that is none");
    let (scale, shift) = (scale.parse().map_err(wrong)?, shift.parse().map_err(wrong)?);
    let values = noise(seed.parse().map_err(|_| format!("\"{location}\" has no seed"))?, scale, shift);
    let mut bytes = Vec::with_capacity(length);
    for value in values.skip(offset as usize / 4).take(length / 4) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    Ok(bytes)
}
