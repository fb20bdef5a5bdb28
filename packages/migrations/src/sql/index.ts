export { astHash } from './ast-hash.ts'
export { type SqlSource, type SqlStatement, scanSql, splitSql } from './parser.ts'
export { type Step, toSteps } from './steps.ts'
export { outsideTransaction } from './transactionality.ts'
