/** A text's tokens without special ones, T of them. */
export interface TokenizedText {
  /** int32 [T] */
  readonly ids: Int32Array;
  /** int32 [T]; character [start, end) of each token in the text, in code points. */
  readonly startCodePoints: Int32Array;
  readonly endCodePoints: Int32Array;
}

/** Ids that frame a window: `[CLS] question [SEP] context [SEP]`. */
export interface FrameIds {
  readonly clsId: number;
  readonly sepId: number;
}
