//! Where training computes: on a GPU, where both the build (feature `cuda`) and the machine have one. Calls are always heard on the
//! CPU: the way to a GPU and back takes longer than a network this small.

use std::{collections::HashMap, path::Path};

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
    // Asked first: without a driver to load, CUDA would panic.
    if !cfg!(feature = "cuda")
        || hidden(visible.as_deref())
        || !DRIVERS.iter().any(|at| Path::new(at).exists())
    {
        return Ok(Device::Cpu);
    }
    Device::new_cuda(0).map_err(|error| {
        TrainError::Nothing(format!(
            "the GPU can't be used ({error}); CUDA_VISIBLE_DEVICES=-1 trains on the CPU"
        ))
    })
}

/// Whether CUDA is told to see no GPU.
fn hidden(visible: Option<&str>) -> bool {
    visible.is_some_and(|list| matches!(list.trim(), "" | "-1"))
}

impl From<&Device> for Processor {
    fn from(device: &Device) -> Self {
        if device.is_cuda() { Self::Gpu } else { Self::Cpu }
    }
}

/// The same tensors on another device; those that are there already are shared, not copied.
pub(super) fn moved(
    tensors: HashMap<String, Tensor>,
    to: &Device,
) -> candle_core::Result<HashMap<String, Tensor>> {
    tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_device(to)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_can_be_hidden() {
        assert!(hidden(Some("")) && hidden(Some("-1 ")));
        assert!(!hidden(None) && !hidden(Some("0")) && !hidden(Some("GPU-1")));
    }

    #[test]
    fn without_a_driver_training_is_on_the_cpu() {
        if !DRIVERS.iter().any(|at| Path::new(at).exists()) {
            assert!(device().unwrap().is_cpu());
        }
    }
}
