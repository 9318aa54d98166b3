import type { Attack, DistilledSet, PretrainedNetworks, TeacherRecord, Use } from '../data/distilled-set.js';
import { hasHalfLabels } from '../data/stored-numbers.js';
import { createNetwork, type Network } from '../networks/index.js';
import { storedNetwork } from '../networks/stored.js';
import { storedTraining } from '../train/stored.js';
import { expectArgument } from '../util/expect.js';
import type { StoredTensor, WritableData } from '../util/safetensors.js';
import { asGiven, checkFinite, damaged, StoredFields } from '../util/stored-fields.js';
import { findProtocol } from './find-protocol.js';
import type { Protocol } from './protocol.js';

/** A distilled set as the tensors and the header of a file: of its own, or of a checkpoint. */

type Tensors = Record<string, { shape: readonly number[]; data: WritableData; half?: boolean }>;

/** The tensors of a set, their names after `prefix`. */
export function setTensors(set: DistilledSet, prefix = ''): Tensors {
  const { network, use, stored } = set;
  const count = set.classes.length;
  const tensors: Tensors = {
    images: { shape: [count, ...network.inputShape], data: set.images },
    labels: { shape: [count, network.classes], data: set.labels, half: hasHalfLabels(set) },
    classes: { shape: [count], data: Int32Array.from(set.classes) },
  };
  if (use.kind === 'learned-steps') {
    tensors.learning_rates = { shape: [use.learningRates.length], data: use.learningRates };
    const parameters = use.initialParameters;
    if (parameters) {
      const { count } = createNetwork(network);
      tensors.initial_parameters = { shape: [parameters.length / count, count], data: parameters };
    }
  }
  for (const [name, variable] of Object.entries(stored.variables)) tensors[`stored.${name}`] = variable;
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

/** What a set is beside its tensors, for JSON. */
export function setHeader(set: DistilledSet): object {
  const { method, network, use, stored, seed, pretrained, attack, teacher } = set;
  const { parametrisation, pictures } = stored;
  const variables = Object.keys(stored.variables);
  return {
    method,
    network,
    // What has a tensor is not repeated.
    use: { ...use, learningRates: undefined, initialParameters: undefined },
    stored: { parametrisation, pictures, variables },
    seed,
    pretrained,
    attack,
    teacher,
  };
}

/** Reads and checks a set; ERR_FILE_FORMAT, in the name of `file`, for anything else. */
export function readSet(
  file: string,
  fields: StoredFields,
  tensors: Readonly<Record<string, StoredTensor>>,
  prefix = '',
): DistilledSet {
  const { network, options } = storedNetwork(fields);
  const take = (name: string, length?: number): Float32Array => {
    const tensor = tensors[prefix + name];
    if (!(tensor?.data instanceof Float32Array) || (length !== undefined && tensor.data.length !== length))
      throw damaged(
        file,
        `tensor ${prefix + name} is ${tensor ? `of type ${tensor.data.constructor.name} with ${tensor.data.length} elements` : 'missing'}, expected F32${length === undefined ? '' : ` of ${length}`}`,
      );
    checkFinite(file, prefix + name, tensor.data);
    return tensor.data;
  };
  const classes = classesOf(file, tensors[`${prefix}classes`], network.classes);
  const count = classes.length;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const stored = fields.object('stored');
  const parametrisation = stored.object('parametrisation');
  const pictures = stored.whole('pictures', 1);
  const pretrained = fields.optional('pretrained', (name) => pretrainedOf(fields.object(name)));
  const attack = fields.optional('attack', (name) => attackOf(fields.object(name), network.classes));
  const teacher = fields.optional('teacher', (name) => teacherOf(fields.object(name)));
  if (count % pictures)
    throw damaged(file, `${stored.name}.pictures is ${pictures}, expected a divisor of the ${count} images`);
  return {
    method: fields.text('method'),
    network: options,
    images: take('images', count * pixels),
    classes,
    labels: take('labels', count * network.classes),
    use: useOf(file, fields.object('use'), network, count, take, tensors[`${prefix}learning_rates`]),
    stored: {
      parametrisation: { ...parametrisation.all(), name: parametrisation.text('name') },
      pictures,
      variables: Object.fromEntries(
        stored
          .texts('variables')
          .map((name) => [
            name,
            { data: take(`stored.${name}`), shape: tensors[`${prefix}stored.${name}`].shape },
          ]),
      ),
    },
    seed: fields.whole('seed', 0),
    ...(pretrained && { pretrained }),
    ...(attack && { attack }),
    ...(teacher && { teacher }),
  };
}

/** ERR_OPTION unless `value`, given to `where` as `name`, is a distilled set; ERR_DATA for one that no file could hold. */
export function expectSet(where: string, value: unknown, name = 'set'): asserts value is DistilledSet {
  const expected = 'a distilled set: `set` of what `distill` or `decodeArtefact` gives';
  expectArgument(where, name, value, 'use', expected);
  checkSet(where, value);
}

/** ERR_DATA, in the name of `where`, unless a set that a program gave is one that a file could hold. */
export function checkSet(where: string, given: unknown): void {
  asGiven(() => {
    const set = new StoredFields(where, 'set', given);
    const { images, labels, classes } = set.all();
    const { learningRates, initialParameters } = set.object('use').all();
    const stored = set.object('stored');
    const variables = stored.object('variables').all();
    const tensors: Record<string, StoredTensor> = {};
    const add = (name: string, data: unknown, shape?: unknown) => {
      if (ArrayBuffer.isView(data) && 'length' in data)
        tensors[name] = { data, shape: shape ?? [data.length] } as StoredTensor;
    };
    add('images', images);
    add('labels', labels);
    add('classes', classes instanceof Uint16Array ? Int32Array.from(classes) : undefined);
    add('learning_rates', learningRates);
    add('initial_parameters', initialParameters);
    for (const name of Object.keys(variables)) {
      const variable = stored.object('variables').object(name).all();
      add(`stored.${name}`, variable.data, variable.shape);
    }
    const fields = { ...set.all(), stored: { ...stored.all(), variables: Object.keys(variables) } };
    readSet(where, new StoredFields(where, 'set', fields), tensors);
  });
}

/** What a set, or a record of its run, says of the networks it is for. */
export const pretrainedOf = (fields: StoredFields): PretrainedNetworks => ({
  dataset: fields.text('dataset'),
  checksum: fields.text('checksum'),
  train: fields.whole('train', 1),
  validation: fields.whole('validation', 1),
  test: fields.whole('test', 1),
});

const teacherOf = (fields: StoredFields): TeacherRecord => ({
  network: fields.text('network'),
  checksum: fields.text('checksum'),
  temperature: fields.positive('temperature'),
});

function attackOf(fields: StoredFields, classes: number): Attack {
  const [from, to] = ['from', 'to'].map((name) => fields.whole(name, 0));
  if (from >= classes || to >= classes || from === to)
    throw damaged(
      fields.file,
      `${fields.name} is of class ${from} to ${to}, expected two of the ${classes} classes`,
    );
  return { from, to };
}

function classesOf(file: string, tensor: StoredTensor | undefined, classes: number): Uint16Array {
  if (!(tensor?.data instanceof Int32Array) || tensor.data.length < 1)
    throw damaged(file, 'tensor classes is missing or not I32, expected the class of every image');
  const wrong = tensor.data.find((own) => own < 0 || own >= classes);
  if (wrong !== undefined)
    throw damaged(file, `tensor classes holds ${wrong}, expected classes from 0 to ${classes - 1}`);
  return Uint16Array.from(tensor.data);
}

function useOf(
  file: string,
  fields: StoredFields,
  network: Network,
  count: number,
  take: (name: string, length?: number) => Float32Array,
  rates: StoredTensor | undefined,
): Use {
  const kind = fields.word('kind', ['learned-steps', 'minibatches']);
  if (kind === 'minibatches') {
    const protocol = fields.text('protocol');
    let training: Protocol['training'];
    try {
      ({ training } = findProtocol(protocol));
    } catch (cause) {
      throw damaged(file, `${fields.name}.protocol: ${(cause as Error).message}`, cause);
    }
    if (training === 'learned-steps')
      throw damaged(file, `${fields.name}.protocol is ${protocol}, expected one of training in minibatches`);
    const learningRate = fields.optional('learningRate', (name) => fields.positive(name));
    const ridge = fields.optional('ridge', (name) => fields.positive(name));
    return { kind, protocol, learningRate, ridge };
  }
  const steps = fields.whole('steps', 1);
  const epochs = fields.whole('epochs', 1);
  const init = fields.word('init', ['fixed', 'random']);
  if (count % steps)
    throw damaged(file, `${fields.name}.steps is ${steps}, expected a divisor of the ${count} images`);
  const initialParameters = init === 'fixed' ? take('initial_parameters') : undefined;
  if (initialParameters && (!initialParameters.length || initialParameters.length % network.count))
    throw damaged(
      file,
      `initial_parameters has ${initialParameters.length} elements, expected a multiple of ${network.count}`,
    );
  return {
    kind,
    steps,
    epochs,
    // One for every inner step, or one that they share.
    learningRates: take('learning_rates', rates?.data.length === 1 ? 1 : steps * epochs),
    training: storedTraining(fields.object('training')),
    init,
    initialParameters,
  };
}
