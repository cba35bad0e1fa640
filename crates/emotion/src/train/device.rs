//! Where training computes: on a GPU, where both the build (feature `cuda`) and the machine have one. Calls are always
//! heard on the CPU: a network this small isn't worth the way to a GPU and back.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::{Processor, TrainError};

/// What a GPU's driver puts there: NVIDIA's on Linux, and that of Windows for Linux guests.
const DRIVERS: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];

/// The first GPU, or the CPU.
///
/// # Errors
/// There is a GPU which can't be used.
pub(super) fn device() -> Result<Device, TrainError> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let driver = DRIVERS.iter().any(|at| Path::new(at).exists());
    match choose(cfg!(feature = "cuda"), visible.as_deref(), driver) {
        Processor::Cpu => Ok(Device::Cpu),
        Processor::Gpu => Device::new_cuda(0).map_err(|error| {
            TrainError::Nothing(format!(
                "the GPU can't be used ({error}); CUDA_VISIBLE_DEVICES=-1 trains on the CPU"
            ))
        }),
    }
}

/// `visible` is how CUDA is told which GPUs to see. Without a driver to load it would panic, so that is asked first.
fn choose(built: bool, visible: Option<&str>, driver: bool) -> Processor {
    let hidden = visible.is_some_and(|list| matches!(list.trim(), "" | "-1"));
    if built && driver && !hidden { Processor::Gpu } else { Processor::Cpu }
}

impl From<&Device> for Processor {
    fn from(device: &Device) -> Self {
        if device.is_cuda() { Self::Gpu } else { Self::Cpu }
    }
}

/// The same tensors on another device; those that are there already are shared, not copied.
pub(super) fn moved<Named: FromIterator<(String, Tensor)>>(
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    to: &Device,
) -> candle_core::Result<Named> {
    tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_device(to)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_takes_a_build_for_it_a_driver_and_leave() {
        assert_eq!(choose(true, None, true), Processor::Gpu);
        assert_eq!(choose(true, Some("0"), true), Processor::Gpu);
        for (built, visible, driver) in
            [(false, None, true), (true, None, false), (true, Some(""), true), (true, Some("-1 "), true)]
        {
            assert_eq!(choose(built, visible, driver), Processor::Cpu, "{built} {visible:?} {driver}");
        }
    }
}
