//! The element types of ONNX, and reading a tensor of a file.

use burn::tensor::TensorData;
use half::{bf16, f16};
use onnx_ir::TensorProto;

/// The element type of a tensor (`TensorProto.DataType`), as far as the engine computes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F16,
    BF16,
    F32,
    F64,
    U4,
    I4,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    Bool,
}

impl Element {
    /// The type with the number that files use; the name of the type where it is not supported.
    pub fn from_onnx(number: i32) -> Result<Self, String> {
        Ok(match number {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            4 => Self::U16,
            5 => Self::I16,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            12 => Self::U32,
            13 => Self::U64,
            16 => Self::BF16,
            21 => Self::U4,
            22 => Self::I4,
            8 => return Err("string".into()),
            14 | 15 => return Err("complex numbers".into()),
            17..=20 | 24 => return Err("float8".into()),
            23 => return Err("float4".into()),
            25 | 26 => return Err("2-bit integers".into()),
            other => return Err(format!("number {other}")),
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::U4 => "uint4",
            Self::I4 => "int4",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::Bool => "bool",
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }

    /// Smallest and largest value of an integer type that fits the engine's integers with room to spare.
    pub fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::U4 => (0, 15),
            Self::I4 => (-8, 7),
            Self::U8 => (0, 255),
            Self::I8 => (-128, 127),
            Self::U16 => (0, 65_535),
            Self::I16 => (-32_768, 32_767),
            _ => return None,
        })
    }

    /// Bytes of this many elements in `raw_data`.
    fn bytes(self, count: usize) -> u64 {
        (count as u64 * self.bits() as u64).div_ceil(8)
    }

    /// Bits of one element in `raw_data`.
    pub fn bits(self) -> usize {
        match self {
            Self::U4 | Self::I4 => 4,
            Self::U8 | Self::I8 | Self::Bool => 8,
            Self::F16 | Self::BF16 | Self::U16 | Self::I16 => 16,
            Self::F32 | Self::U32 | Self::I32 => 32,
            Self::F64 | Self::U64 | Self::I64 => 64,
        }
    }
}

/// Fetches `length` bytes (all the rest where it is `None`) from `offset` on of the file at a location.
pub type External<'a> = dyn Fn(&str, u64, Option<u64>) -> Result<Vec<u8>, String> + 'a;

/// Where a tensor's elements lie when they are in another file.
pub(crate) struct Elsewhere {
    pub location: String,
    pub offset: u64,
    pub length: Option<u64>,
}

/// The other file that holds a tensor, if there is one.
pub(crate) fn elsewhere(tensor: &TensorProto) -> Result<Option<Elsewhere>, String> {
    // TensorProto.DataLocation.EXTERNAL
    if tensor.data_location.value() != 1 {
        return Ok(None);
    }
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| format!("has the {key} \"{text}\" in another file, which is no number")),
    };
    Ok(Some(Elsewhere {
        location: entry("location").cloned().ok_or("lies in another file that it does not name")?,
        offset: number("offset")?.unwrap_or(0),
        length: number("length")?,
    }))
}

/// Number of elements that a tensor claims.
pub(crate) fn count(tensor: &TensorProto) -> Result<usize, String> {
    tensor
        .dims
        .iter()
        .try_fold(1usize, |count, &dim| usize::try_from(dim).ok().and_then(|dim| count.checked_mul(dim)))
        // What no memory holds is refused before anything is allocated.
        .filter(|&count| count < 1 << 31)
        .ok_or_else(|| format!("claims the impossible shape {:?}", tensor.dims))
}

/// Reads a tensor; real numbers become f32 and whole numbers i64. An error ends a sentence that begins with the
/// tensor's name.
pub(crate) fn read(tensor: &TensorProto, external: Option<&External<'_>>) -> Result<TensorData, String> {
    let element = Element::from_onnx(tensor.data_type)
        .map_err(|name| format!("holds elements of the type {name}, which is not supported"))?;
    let count = count(tensor)?;
    let dims: Vec<usize> = tensor.dims.iter().map(|&dim| dim as usize).collect();
    if let Some(place) = elsewhere(tensor)? {
        let Elsewhere { location, offset, length } = &place;
        let read = external.ok_or_else(|| format!("lies in the file \"{location}\"; give that file too"))?;
        let wanted = element.bytes(count);
        if length.is_some_and(|length| length != wanted) {
            return Err(format!("claims {wanted} bytes and has {} in \"{location}\"", length.unwrap_or(0)));
        }
        let bytes = read(location, *offset, Some(wanted))?;
        return from_bytes(&bytes, element, count, dims);
    }
    if !tensor.raw_data.is_empty() {
        return from_bytes(&tensor.raw_data, element, count, dims);
    }
    let held = |held: usize| match held == count {
        true => Ok(()),
        false => Err(format!("claims {count} values and holds {held}")),
    };
    let narrow = &tensor.int32_data;
    let floats = |values: Vec<f32>| Ok(TensorData::new(values, dims.clone()));
    let ints = |values: Vec<i64>| Ok(TensorData::new(values, dims.clone()));
    match element {
        Element::F32 => {
            held(tensor.float_data.len())?;
            floats(tensor.float_data.clone())
        }
        Element::F64 => {
            held(tensor.double_data.len())?;
            floats(tensor.double_data.iter().map(|&value| value as f32).collect())
        }
        Element::F16 => {
            held(narrow.len())?;
            floats(narrow.iter().map(|&bits| f16::from_bits(bits as u16).to_f32()).collect())
        }
        Element::BF16 => {
            held(narrow.len())?;
            floats(narrow.iter().map(|&bits| bf16::from_bits(bits as u16).to_f32()).collect())
        }
        Element::I64 => {
            held(tensor.int64_data.len())?;
            ints(tensor.int64_data.clone())
        }
        Element::U32 | Element::U64 => {
            held(tensor.uint64_data.len())?;
            ints(tensor.uint64_data.iter().map(|&value| value as i64).collect())
        }
        Element::Bool => {
            held(narrow.len())?;
            Ok(TensorData::new(narrow.iter().map(|&value| value != 0).collect::<Vec<bool>>(), dims))
        }
        Element::U4 | Element::I4 => {
            let bytes: Vec<u8> = narrow.iter().map(|&value| value as u8).collect();
            from_bytes(&bytes, element, count, dims)
        }
        _ => {
            held(narrow.len())?;
            ints(narrow.iter().map(|&value| i64::from(value)).collect())
        }
    }
}

/// Little-endian elements.
fn from_bytes(bytes: &[u8], element: Element, count: usize, dims: Vec<usize>) -> Result<TensorData, String> {
    let wanted = element.bytes(count);
    if bytes.len() as u64 != wanted {
        return Err(format!("claims {wanted} bytes and holds {}", bytes.len()));
    }
    macro_rules! each {
        ($type:ty, $size:literal, $value:ident => $to:expr) => {
            bytes
                .as_chunks::<$size>()
                .0
                .iter()
                .map(|&bytes| {
                    let $value = <$type>::from_le_bytes(bytes);
                    $to
                })
                .collect::<Vec<_>>()
        };
    }
    let ints = |values: Vec<i64>| TensorData::new(values, dims.clone());
    let floats = |values: Vec<f32>| TensorData::new(values, dims.clone());
    Ok(match element {
        Element::F32 => floats(each!(f32, 4, value => value)),
        Element::F64 => floats(each!(f64, 8, value => value as f32)),
        Element::F16 => floats(each!(f16, 2, value => value.to_f32())),
        Element::BF16 => floats(each!(bf16, 2, value => value.to_f32())),
        Element::U8 => ints(each!(u8, 1, value => i64::from(value))),
        Element::I8 => ints(each!(i8, 1, value => i64::from(value))),
        Element::U16 => ints(each!(u16, 2, value => i64::from(value))),
        Element::I16 => ints(each!(i16, 2, value => i64::from(value))),
        Element::U32 => ints(each!(u32, 4, value => i64::from(value))),
        Element::I32 => ints(each!(i32, 4, value => i64::from(value))),
        Element::U64 => ints(each!(u64, 8, value => value as i64)),
        Element::I64 => ints(each!(i64, 8, value => value)),
        Element::Bool => TensorData::new(bytes.iter().map(|&byte| byte != 0).collect::<Vec<bool>>(), dims),
        Element::U4 | Element::I4 => {
            let nibbles = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]).take(count);
            let signed = |nibble: u8| if nibble > 7 { i64::from(nibble) - 16 } else { i64::from(nibble) };
            ints(match element {
                Element::I4 => nibbles.map(signed).collect(),
                _ => nibbles.map(i64::from).collect(),
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(data_type: i32, dims: &[i64], raw: &[u8]) -> TensorProto {
        let mut tensor = TensorProto::new();
        tensor.data_type = data_type;
        tensor.dims = dims.to_vec();
        tensor.raw_data = raw.to_vec().into();
        tensor
    }

    #[test]
    fn packed_nibbles_come_low_first() {
        let read = |data_type| read(&tensor(data_type, &[3], &[0x2f, 0x08]), None).unwrap();
        assert_eq!(read(21).try_into_vec::<i64>().unwrap(), [15, 2, 8]);
        assert_eq!(read(22).try_into_vec::<i64>().unwrap(), [-1, 2, -8]);
    }

    #[test]
    fn halves_and_bytes_are_widened() {
        let half = read(&tensor(10, &[1], &f16::from_f32(1.5).to_le_bytes()), None).unwrap();
        assert_eq!(half.try_into_vec::<f32>().unwrap(), [1.5]);
        let byte = read(&tensor(3, &[1], &[0xff]), None).unwrap();
        assert_eq!(byte.try_into_vec::<i64>().unwrap(), [-1]);
    }

    #[test]
    fn a_claim_that_the_file_does_not_keep_is_refused_before_memory_is_taken() {
        for dims in [&[-1][..], &[1 << 40], &[1 << 32, 1 << 32], &[4]] {
            assert!(read(&tensor(1, dims, &[0; 8]), None).is_err(), "{dims:?}");
        }
    }
}
