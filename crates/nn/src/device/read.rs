//! Reading results back. Always asynchronous: a synchronous read panics in a browser.

use burn::tensor::{Tensor, Transaction};

/// A result that could not be read; the device is usually lost.
#[derive(Clone, Debug, thiserror::Error, serde::Serialize)]
#[error("the device gave no result ({0}); it may have been lost, so start the engine again")]
pub struct ReadError(String);

/// The values of a tensor, row-major. Also the barrier that waits for all work before it.
///
/// # Errors
/// When the device is lost.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.into_data_async().await.map_err(|error| ReadError(error.to_string()))?;
    Ok(data.iter::<f32>().collect())
}

/// The values of several tensors in one round trip.
///
/// # Errors
/// When the device is lost.
pub async fn read_all<const D: usize>(tensors: Vec<Tensor<D>>) -> Result<Vec<Vec<f32>>, ReadError> {
    let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let all = transaction.execute_async().await.map_err(|error| ReadError(error.to_string()))?;
    Ok(all.iter().map(|data| data.iter::<f32>().collect()).collect())
}
