import { diskFull } from './src/faults/disk-full.ts'
console.log(await diskFull({ progress: console.log, figure: console.log }))
