//! Typed memory on the device.

use super::{Commands, Download, GpuContext, GpuError};
use bytemuck::Pod;
use rayon::prelude::*;
use std::fmt;
use std::marker::PhantomData;
use std::mem::size_of;

/// What every storage buffer may be used for.
const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST)
    .union(wgpu::BufferUsages::INDIRECT);

/// What a uniform buffer may be used for.
const UNIFORM: wgpu::BufferUsages = wgpu::BufferUsages::UNIFORM.union(wgpu::BufferUsages::COPY_DST);

/// Bytes after which a long upload is handed over, which frees its copy on the host.
const UPLOAD: usize = 128 << 20;

/// Bytes that a thread copies at a time: one alone is slow with memory that the device reads too.
const SHARE: usize = 1 << 18;

/// `len` elements on the device. The memory comes from the context's pool and goes back when this is dropped, for the next buffer of its
/// label and about its size: keep it as long as bind groups made of it are in use.
///
/// The [`raw`](Self::raw) buffer may be longer than `len` elements, and so is `arrayLength` of a binding of all of it;
/// [`binding`](Self::binding) is as long as the elements.
pub struct GpuBuffer<T> {
    context: GpuContext,
    /// `Some` until the drop.
    raw: Option<wgpu::Buffer>,
    label: Box<str>,
    len: usize,
    element: PhantomData<fn() -> T>,
}

impl<T: Pod> GpuBuffer<T> {
    /// Memory with anything in it.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`], [`GpuError::OutOfMemory`], [`GpuError::Lost`].
    pub fn new(context: &GpuContext, label: &str, len: usize) -> Result<Self, GpuError> {
        Ok(Self::allocate(context, label, len, STORAGE)?.0)
    }

    /// Memory with zeros in it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn zeros(context: &GpuContext, label: &str, len: usize) -> Result<Self, GpuError> {
        let (buffer, fresh) = Self::allocate(context, label, len, STORAGE)?;
        if !fresh {
            let mut commands = context.commands(label);
            commands.clear(buffer.raw());
            commands.submit();
        }
        Ok(buffer)
    }

    /// Memory with a copy of the elements.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_slice(context: &GpuContext, label: &str, elements: &[T]) -> Result<Self, GpuError> {
        let buffer = Self::new(context, label, elements.len())?;
        buffer.write(0, elements)?;
        Ok(buffer)
    }

    /// A uniform buffer with a copy of the elements.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn uniform(context: &GpuContext, label: &str, elements: &[T]) -> Result<Self, GpuError> {
        let (buffer, _) = Self::allocate(context, label, elements.len(), UNIFORM)?;
        buffer.write(0, elements)?;
        Ok(buffer)
    }

    fn allocate(
        context: &GpuContext,
        label: &str,
        len: usize,
        usage: wgpu::BufferUsages,
    ) -> Result<(Self, bool), GpuError> {
        const { assert!(size_of::<T>() > 0, "elements of no size") };
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let (raw, fresh) = context.allocate(label, bytes, usage)?;
        let buffer =
            GpuBuffer { context: context.clone(), raw: Some(raw), label: label.into(), len, element: PhantomData };
        Ok((buffer, fresh))
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the elements, rounded up to what copies and bindings take.
    pub fn bytes(&self) -> u64 {
        ((self.len * size_of::<T>()) as u64).next_multiple_of(4)
    }

    /// wgpu's buffer, at least as long as the elements.
    pub fn raw(&self) -> &wgpu::Buffer {
        self.raw.as_ref().expect("taken only by drop")
    }

    /// A binding of just the elements, for `GpuKernel::bind_ranges`; of an empty buffer, of its first 16 bytes.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        let bytes = if self.is_empty() { 16 } else { self.bytes() };
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: self.raw(),
            offset: 0,
            size: std::num::NonZeroU64::new(bytes),
        })
    }

    /// The context it was made in.
    pub fn context(&self) -> &GpuContext {
        &self.context
    }

    /// Overwrites the elements from `offset` on. This takes effect at the next submission, before its commands.
    ///
    /// # Errors
    /// [`GpuError::Validation`] where the elements do not fit, or where small ones begin or end within a 4-byte word of others;
    /// [`GpuError::Lost`].
    pub fn write(&self, offset: usize, elements: &[T]) -> Result<(), GpuError> {
        self.context.alive()?;
        let bytes: &[u8] = bytemuck::cast_slice(elements);
        let start = (offset as u64).saturating_mul(size_of::<T>() as u64);
        let wrong = |what| GpuError::Validation {
            label: self.label.to_string(),
            message: format!("{} elements written at {offset} of {}: {what}", elements.len(), self.len),
        };
        let end = offset.checked_add(elements.len()).filter(|&end| end <= self.len).ok_or_else(|| wrong("too many"))?;
        if !start.is_multiple_of(4) || !bytes.len().is_multiple_of(4) && end != self.len {
            return Err(wrong("not whole words of 4 bytes"));
        }
        let whole = bytes.len() & !3;
        let (queue, raw) = (self.context.queue(), self.raw());
        for (index, part) in bytes[..whole].chunks(UPLOAD).enumerate() {
            if index > 0 {
                queue.submit([]);
            }
            let to = start + (index * UPLOAD) as u64;
            // In a browser the copy is the browser's.
            match part.len() <= SHARE || cfg!(target_arch = "wasm32") {
                true => queue.write_buffer(raw, to, part),
                false => stage(queue, raw, to, part.len(), |first, mut to| {
                    to.copy_from_slice(&part[first..first + to.len()]);
                }),
            }
        }
        let rest = &bytes[whole..];
        if !rest.is_empty() {
            let mut word = [0; 4];
            word[..rest.len()].copy_from_slice(rest);
            queue.write_buffer(raw, start + whole as u64, &word);
        }
        self.context.counters().bytes_up.add(bytes.len() as u64);
        self.context.alive()
    }

    /// Overwrites all elements, whole words of 4 bytes, by what `fill(first byte, bytes from there)` puts into memory that the device reads, in
    /// shares, on all threads. This takes effect at the next submission, before its commands.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if they are no whole words; [`GpuError::Lost`].
    pub fn fill(&self, fill: impl Fn(usize, wgpu::WriteOnly<'_, [u8]>) + Sync) -> Result<(), GpuError> {
        self.context.alive()?;
        let bytes = self.len * size_of::<T>();
        if !bytes.is_multiple_of(4) {
            let message = format!("{bytes} bytes filled: not whole words of 4 bytes");
            return Err(GpuError::Validation { label: self.label.to_string(), message });
        }
        stage(self.context.queue(), self.raw(), 0, bytes, fill);
        self.context.counters().bytes_up.add(bytes as u64);
        self.context.alive()
    }

    /// Reads all elements back after all that was submitted so far.
    ///
    /// # Errors
    /// [`GpuError::Lost`], [`GpuError::Timeout`], [`GpuError::OutOfMemory`].
    pub async fn read(&self) -> Result<Vec<T>, GpuError> {
        match self.download()? {
            Some(download) => self.cut(download.read(&self.context).await?),
            None => Ok(Vec::new()),
        }
    }

    /// [`read`](Self::read), blocking.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<Vec<T>, GpuError> {
        match self.download()? {
            Some(download) => self.cut(download.wait(&self.context)?),
            None => Ok(Vec::new()),
        }
    }

    fn download(&self) -> Result<Option<Download>, GpuError> {
        self.context.alive()?;
        if self.is_empty() {
            return Ok(None);
        }
        let mut commands: Commands = self.context.commands(&self.label);
        let download = commands.download(self.raw(), 0..self.bytes());
        commands.submit();
        Ok(Some(download))
    }

    /// Without what the last word has beyond the elements.
    fn cut(&self, mut elements: Vec<T>) -> Result<Vec<T>, GpuError> {
        elements.truncate(self.len);
        Ok(elements)
    }
}

/// Has `fill(first byte, bytes)` put so many bytes, on all threads, where they are copied from at the next submission, before its commands; wgpu
/// reports what is wrong.
fn stage(
    queue: &wgpu::Queue,
    to: &wgpu::Buffer,
    offset: u64,
    bytes: usize,
    fill: impl Fn(usize, wgpu::WriteOnly<'_, [u8]>) + Sync,
) {
    let Some(mut view) =
        std::num::NonZeroU64::new(bytes as u64).and_then(|size| queue.write_buffer_with(to, offset, size))
    else {
        return;
    };
    let (shares, rest) = view.slice(..).into_chunks::<SHARE>();
    // Only arrays may go to other threads.
    fill(shares.len() * SHARE, rest);
    let shares: Vec<wgpu::WriteOnly<'_, [u8; SHARE]>> = shares.into_iter().collect();
    shares.into_par_iter().enumerate().for_each(|(share, to)| fill(share * SHARE, to.into()));
}

impl<T> Drop for GpuBuffer<T> {
    fn drop(&mut self) {
        if let Some(raw) = self.raw.take() {
            self.context.recycle(std::mem::take(&mut self.label), raw);
        }
    }
}

impl<T> fmt::Debug for GpuBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuBuffer").field("label", &self.label).field("len", &self.len).finish_non_exhaustive()
    }
}
