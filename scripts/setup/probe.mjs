/**
 * A process of its own (drivers crash): opens an adapter and a device through Dawn and prints the adapter's name.
 * The object that `create` returns must stay reachable until the process ends.
 */
try {
  const { create } = await import('webgpu');
  globalThis.heldGpu = create([]);
  const adapter = await globalThis.heldGpu.requestAdapter();
  if (!adapter) throw new Error('no Vulkan driver offers an adapter that Dawn accepts');
  const device = await adapter.requestDevice();
  const { description, device: name, vendor } = adapter.info;
  device.destroy();
  console.log(JSON.stringify({ adapter: description || name || vendor || 'unnamed' }));
} catch (error) {
  console.log(JSON.stringify({ reason: String(error.message).split('\n')[0] }));
}
process.exit(0);
