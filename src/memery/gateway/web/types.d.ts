// Types of the page's modules: the server's answers first, then the page's own values.
// Not a module of the page: only the type checker reads it.

/** A problem document (RFC 9457). */
export interface ProblemDocument {
  title?: string;
  detail?: string;
  errors?: FieldError[];
}

export interface FieldError {
  field: string;
  message: string;
}

/** An image; width and height are those of the upright image in pixels. */
export interface ImageDocument {
  id: string;
  collection: string;
  path: string;
  width: number;
  height: number;
  format: string;
  size: number;
  taken_at: string | null;
  modified_at: string;
  date_source: string;
  damage: string | null;
  colour: string | null;
  words: string | null;
  copies: number;
  thumbnail_url: string;
  image_url: string;
}

export interface HitDocument extends ImageDocument {
  rank: number;
  score: number;
  strength: number;
  weak: boolean;
}

export interface SearchDocument {
  warnings: string[];
  total: number;
  strong: number | null;
  anything_strong: boolean;
  hits: HitDocument[];
}

export interface ImagesDocument {
  total: number;
  warnings: string[];
  images: ImageDocument[];
}

export interface LineDocument {
  text: string;
  confidence: number;
  box: number[];
}

/** All that is known of an image; `text` is null until OCR has run. */
export interface FactsDocument extends ImageDocument {
  text: LineDocument[] | null;
  copy_paths: string[];
}

export interface CountDocument {
  name: string;
  count: number;
}

export interface FacetsDocument {
  folders: CountDocument[];
  months: CountDocument[];
  types: CountDocument[];
}

export interface CollectionDocument {
  name: string;
  path: string | null;
  available: boolean;
  searchable: number;
}

export interface StatusDocument {
  collections: string[];
  unavailable: string[];
  images: number;
  skipped: number;
  excluded: string[];
  model_id: string;
  better_model: string | null;
  index_allowed: boolean;
}

export interface JobDocument {
  collection: string;
  state: string;
  done: number;
  total: number;
  skipped: number;
  searchable: number;
  eta_seconds: number | null;
  message: string;
}

export interface SkipDocument {
  path: string;
  reason: string;
  detail: string;
}

export interface SkipsDocument {
  total: number;
  skipped: SkipDocument[];
}

export interface UploadDocument {
  id: string;
}

/** An image in a list, with or without a search; opened by its id, it has all facts. */
export type ListedImage = ImageDocument & Partial<HitDocument> & Partial<FactsDocument>;

/** A part of the query; a negative boost means "less of this". */
export interface Term {
  kind: "text" | "image" | "upload";
  value: string;
  boost: number;
}

/** Filters and order, by the names of the REST parameters. */
export interface FilterValues {
  collection?: string;
  under?: string;
  since?: string;
  until?: string;
  orientation?: string;
  has_text?: string;
  mode?: string;
  sort?: string;
  ext?: string[];
}

/** What the page's URL says. */
export interface PageState {
  terms: Term[];
  /** Text in the search box that is not yet a chip. */
  draft: string;
  filters: FilterValues;
  /** Id of the open image. */
  imageId: string | null;
}

/** A scroll position: an image's index, and how far the window's top is below the image's, in px. */
export interface Place {
  index: number;
  dy: number;
}

/** An image's box in the grid, in px. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Number of the row in its block. */
  row: number;
}

/** Size of the grid, of a row, and of the gap between images, in px. */
export interface GridSize {
  width: number;
  height: number;
  gap: number;
}

/** A message's button. */
export interface Offer {
  label: string;
  act: () => void;
}

/** How far indexing is. `eta` is in seconds. */
export interface Progress {
  done: number;
  total: number;
  eta: number;
  isReading: boolean;
}

/** What can be done with one image. */
export type ImageAction = (image: ListedImage, event?: Event & { shiftKey?: boolean }) => void;
