//! Files: WAV, FLAC, MP3 and Ogg Vorbis, by Symphonia.

use std::io::Cursor;

use symphonia::core::{
    codecs::audio::AudioDecoderOptions,
    errors::Error as Fault,
    formats::{FormatOptions, TrackType, probe::Hint},
    io::MediaSourceStream,
    meta::MetadataOptions,
};

use crate::{
    Error, Result, Waveform,
    waveform::{MAX_SECONDS, RATES, check_length},
};

/// Decodes a file. What a header says of its length and rate is checked before anything is decoded.
///
/// Samples come out as the file's own integers divided by their range (16 bits by 32,768), and compressed ones as the decoder computes
/// them, without the silence that MP3's encoders put before and after.
///
/// # Errors
/// Those of [`Waveform::new`], and [`Error::EmptyFile`], [`Error::NoSound`], [`Error::Container`], [`Error::Unknown`],
/// [`Error::Damaged`].
pub fn decode(bytes: &[u8]) -> Result<Waveform> {
    if bytes.is_empty() {
        return Err(Error::EmptyFile);
    }
    if let Some(error) = foreign(bytes) {
        return Err(error);
    }
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
    let options = (FormatOptions::default(), MetadataOptions::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, options.0, options.1)
        .map_err(|fault| Error::Unknown(fault.to_string()))?;
    let track =
        format.default_track(TrackType::Audio).ok_or(Error::NoSound("a container of something else"))?;
    let (id, frames) = (track.id, track.num_frames);
    let known = track.codec_params.as_ref().and_then(|known| known.audio());
    let known = known.ok_or_else(|| Error::Damaged("its header does not say how it is coded".into()))?;
    if let Some(rate) = known.sample_rate {
        if !RATES.contains(&rate) {
            return Err(Error::Rate(rate));
        }
        if let Some(frames) = frames {
            check_length(frames as f64 / f64::from(rate))?;
        }
    }
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(known, &AudioDecoderOptions::default())
        .map_err(|fault| Error::Unknown(fault.to_string()))?;

    let (mut channels, mut rate) = (Vec::<Vec<f32>>::new(), known.sample_rate);
    let (mut planes, mut faults) = (Vec::new(), None);
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == id => packet,
            Ok(Some(_)) => continue,
            Ok(None) | Err(Fault::ResetRequired) => break,
            Err(fault) => {
                faults = Some(fault.to_string());
                break;
            }
        };
        match decoder.decode(&packet) {
            Ok(part) => {
                let own = part.spec().rate();
                let same = rate.is_none_or(|rate| rate == own)
                    && (channels.is_empty() || channels.len() == part.num_planes());
                if !same {
                    return Err(Error::Damaged("its rate or number of channels changes on the way".into()));
                }
                rate = Some(own);
                part.copy_to_vecs_planar(&mut planes);
                channels.resize(planes.len().max(channels.len()), Vec::new());
                for (channel, plane) in channels.iter_mut().zip(&planes) {
                    channel.extend_from_slice(plane);
                }
                let length = channels.first().map_or(0, Vec::len);
                if length as f64 > MAX_SECONDS * f64::from(own) {
                    // How long it would be is not known without decoding all of it.
                    return Err(Error::TooLong { seconds: length as f64 / f64::from(own) });
                }
            }
            // A frame that is broken is left out, as players do, as long as others are not.
            Err(Fault::DecodeError(fault)) => faults = Some(fault.to_string()),
            Err(fault) => {
                faults = Some(fault.to_string());
                break;
            }
        }
    }
    match (channels.first().map_or(0, Vec::len), faults) {
        (0, Some(fault)) => Err(Error::Damaged(fault)),
        (0, None) => Err(Error::Empty),
        _ => Waveform::new(channels, rate.unwrap_or(0)),
    }
}

/// What is known by its first bytes and is not read here.
fn foreign(bytes: &[u8]) -> Option<Error> {
    let starts = |what: &[u8]| bytes.starts_with(what);
    let holds = |what: &[u8]| {
        let end = bytes.len().min(1 << 20);
        // A header may stand at either end of the file.
        let parts = [&bytes[..end], &bytes[bytes.len() - end..]];
        parts.iter().any(|part| part.windows(what.len()).any(|window| window == what))
    };
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match holds(b"soun") {
            true => Error::Container("an MP4 file"),
            false => Error::NoSound("an MP4 file without sound"),
        });
    }
    if starts(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(match holds(b"A_") {
            true => Error::Container("a WebM or Matroska file"),
            false => Error::NoSound("a WebM or Matroska file without sound"),
        });
    }
    if starts(b"RIFF") && bytes.get(8..12) == Some(b"AVI ") {
        return Some(Error::Container("an AVI file"));
    }
    let picture =
        starts(b"\x89PNG") || starts(b"\xff\xd8\xff") || starts(b"GIF8") || bytes.get(8..12) == Some(b"WEBP");
    if picture {
        return Some(Error::NoSound("a picture"));
    }
    (starts(b"OggS") && holds(b"OpusHead")).then_some(Error::Container("an Ogg file with Opus inside"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let left: Vec<f32> = (-50..50).map(|n| n as f32 / 64.0).collect();
        let right: Vec<f32> = left.iter().map(|value| -value / 2.0).collect();
        let sound = Waveform::new(vec![left, right], 22_050).unwrap();
        assert_eq!(decode(&wav(&sound)).unwrap(), sound);
    }

    #[test]
    fn what_is_no_sound_has_its_own_sentence() {
        let mut long = wav(&Waveform::mono(vec![0.0; 100], 16_000).unwrap());
        // A header of ten hours.
        let data = 16_000u32 * 2 * 36_000;
        long[4..8].copy_from_slice(&(data + 36).to_le_bytes());
        long[40..44].copy_from_slice(&data.to_le_bytes());
        let mut rate = wav(&Waveform::mono(vec![0.0; 100], 16_000).unwrap());
        rate[24..28].copy_from_slice(&3u32.to_le_bytes());
        let mut none = wav(&Waveform::mono(vec![0.0; 2], 16_000).unwrap());
        none[40..44].copy_from_slice(&0u32.to_le_bytes());
        none.truncate(44);
        let video = [&[0, 0, 0, 24][..], b"ftypisom", &[0; 40]].concat();
        for (bytes, says) in [
            (&b""[..], "The file is empty"),
            (b"hello, this is no sound at all, but a text", "no sound that can be read"),
            (&long, "10 hours long"),
            (&rate, "3 samples a second"),
            (&none, "length of zero"),
            (&video, "an MP4 file without sound"),
            (b"\x89PNG\r\n\x1a\n0000", "a picture"),
            (&[0x1a, 0x45, 0xdf, 0xa3, 0, 0, 0, 0, 0, 0, b'A', b'_', b'O', b'P'], "a WebM or Matroska file,"),
        ] {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
    }
}
