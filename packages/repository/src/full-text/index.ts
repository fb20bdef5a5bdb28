export { type FullTextColumn, fullTextColumn } from './column.ts'
export {
  type FullText,
  type FullTextMatch,
  type FullTextOptions,
  type FullTextSetup,
  fullText,
} from './full-text.ts'
