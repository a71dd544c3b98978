//! Decodes cases from raw bytes, as libFuzzer generates them.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{Case, DELAY_MS_MAX, Data, DataPart, SendStep, Step};

/// Maximum steps of a raw case: libFuzzer's inputs are small.
const RAW_STEPS_MAX: usize = 32;

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(raw: &mut Unstructured<'a>) -> Result<Self> {
        let mut steps = Vec::new();
        while !raw.is_empty() && steps.len() < RAW_STEPS_MAX {
            steps.push(raw.arbitrary()?);
        }
        Ok(Self::new(steps))
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(raw: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match raw.int_in_range(0..=15u8)? {
            0..=7 => Self::Send(raw.arbitrary()?),
            8 | 9 => Self::Receive,
            10 => Self::DelayMs(raw.int_in_range(1..=DELAY_MS_MAX)?),
            11 => Self::HalfClose,
            12 => Self::Reset,
            13 => Self::Close,
            14 => Self::Connect,
            _ => Self::Switch(raw.int_in_range(0..=7)?),
        })
    }
}

impl<'a> Arbitrary<'a> for SendStep {
    fn arbitrary(raw: &mut Unstructured<'a>) -> Result<Self> {
        let data: Data = raw.arbitrary()?;
        let mut cuts = Vec::new();
        for _ in 0..raw.int_in_range(0..=4u8)? {
            cuts.push(u32::from(raw.arbitrary::<u8>()?));
        }
        Ok(Self { data, cuts })
    }
}

impl<'a> Arbitrary<'a> for Data {
    fn arbitrary(raw: &mut Unstructured<'a>) -> Result<Self> {
        let bytes: Vec<u8> = raw.arbitrary()?;
        let mut data = Self::from(bytes);
        if raw.ratio(1, 8)? {
            data.push(DataPart::Repeat {
                unit: raw.arbitrary::<Vec<u8>>()?,
                count: raw.int_in_range(1..=2048)?,
            });
        }
        Ok(data)
    }
}
