//! Sounds written as files.

use crate::Waveform;

/// The sound as a WAV file of 16 bits, which every player knows. What is louder than 1 is cut off.
pub fn wav(sound: &Waveform) -> Vec<u8> {
    let channels = sound.channels().len() as u16;
    let (length, block) = (sound.length() as u32, u32::from(channels) * 2);
    let mut bytes = Vec::with_capacity(44 + (length * block) as usize);
    bytes.extend(b"RIFF");
    bytes.extend((36 + length * block).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    // Numbers without compression.
    bytes.extend(1u16.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(sound.rate().to_le_bytes());
    bytes.extend((sound.rate() * block).to_le_bytes());
    bytes.extend((block as u16).to_le_bytes());
    bytes.extend(16u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend((length * block).to_le_bytes());
    for at in 0..sound.length() {
        for channel in sound.channels() {
            // A decoder divides by 32,768. A cast from float to integer cuts off by itself.
            bytes.extend(((channel[at] * 32_768.0).round() as i16).to_le_bytes());
        }
    }
    bytes
}
