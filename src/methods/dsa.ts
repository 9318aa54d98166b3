import { augmentationOption } from './by-class.js';
import { dsaDigits } from './datasets.js';
import { method as dc, options as ofDc } from './dc.js';
import { beginMatching } from './matching.js';
import { defineMethod } from './method.js';

const options = {
  ...ofDc,
  augmentation: augmentationOption('dsa', 'of real and distilled images, by one draw for each class'),
};

/** Gradient matching of augmented images: real and distilled ones of a class are changed by the same draw. */
export const method = defineMethod({
  ...dc,
  name: 'dsa',
  source: 'Zhao, Bilen: Dataset Condensation with Differentiable Siamese Augmentation, 2021',
  summary: 'as dc, of augmented images',
  options,
  defaults: { ...dc.defaults, first: 'real' },
  presets: dsaDigits,
  protocol: 'dsa',

  begin: (setting) => beginMatching('dsa', setting, setting.options),
});
