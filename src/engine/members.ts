import { LimbeckError, shapeText } from '../util/errors.js';
import { elements, type View } from './view.js';

/** Other views of the same elements along the population axis: nothing is moved. */

/** The first axis of something shared as members: `[M, ...shape]` becomes M members of `shape`. */
export function perMember(view: View): View {
  const [members, ...shape] = view.shape;
  if (view.members !== 1)
    throw new LimbeckError(
      'ERR_SHAPE',
      `members of ${view.slot.name}: it has ${view.members} already, expected something shared whose first axis they are`,
    );
  return { ...view, members, stride: members > 1 ? elements(shape) : 0, shape };
}

/** Members that lie one behind the other as one shared tensor: M members of `shape` become `[M, ...shape]`. */
export function together(view: View): View {
  const { members, stride, shape } = view;
  if (members > 1 && stride !== elements(shape))
    throw new LimbeckError(
      'ERR_SHAPE',
      `members of ${view.slot.name}: ${shapeText(shape)} lie ${stride} elements apart, expected one behind the other`,
    );
  return { ...view, members: 1, stride: 0, shape: [members, ...shape] };
}

/** Some of the members; a shared view stays as it is. */
export function memberRange(view: View, first: number, count: number): View {
  if (view.members === 1) return view;
  if (first < 0 || first + count > view.members)
    throw new LimbeckError(
      'ERR_SHAPE',
      `members of ${view.slot.name}: ${first} to ${first + count - 1} of ${view.members}`,
    );
  const { offset, stride } = view;
  return { ...view, offset: offset + first * stride, members: count, stride: count > 1 ? stride : 0 };
}
